//! Models, up and down.

use crm_api::CrmApi;
use reqwest::{Method, Url};
use serde_json::json;
use testkit::{
    Response,
    service::{self, RunningService},
    solids,
};

use crate::{create_order, create_order_with_model, crm, cube, get_order, set_status, submit_order, upload};

fn path(id: &str, filename: &str) -> String {
    let url = Url::parse_with_params("http://crm/", [("filename", filename)]).expect("a URL");
    format!("/orders/{id}/model?{}", url.query().expect("a query"))
}

async fn order_without_model(crm: &RunningService) -> (testkit::Client, String) {
    let seller = crm.seller().await;
    let id = create_order(&seller, crm.customer_account().await).await;
    (seller, id)
}

#[tokio::test]
async fn a_model_comes_back_as_it_was_uploaded() {
    let crm = crm().await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let torus = solids::torus(9.0, 1.5, 100);
    for (filename, media_type, file) in [
        ("ring.stl", "model/stl", torus.to_binary_stl()),
        ("ring.obj", "model/obj", torus.to_obj()),
        ("ring.3mf", "model/3mf", torus.to_3mf()),
    ] {
        let id = create_order(&seller, customer).await;
        let order = seller.put_bytes(&path(&id, filename), file.clone()).await.expect(200);
        assert_eq!((&order["status"], &order["model"]["bytes"]), (&json!("FILE_UPLOADED"), &json!(file.len())));
        let response = seller.get(&format!("/orders/{id}/model")).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some(media_type));
        assert_eq!(response.header("content-length"), Some(file.len().to_string().as_str()));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert!(response.bytes == file, "{filename} came back otherwise");
    }
}

#[tokio::test]
async fn a_file_name_can_not_break_out_of_its_header() {
    let crm = crm().await;
    let (seller, id) = order_without_model(&crm).await;
    for (filename, encoded) in [
        ("a \"quoted\"; filename=x.exe.stl", "a%20%22quoted%22%3B%20filename%3Dx%2Eexe%2Estl"),
        ("../кольцо.stl", "%2E%2E%2F%D0%BA%D0%BE%D0%BB%D1%8C%D1%86%D0%BE%2Estl"),
    ] {
        seller.put_bytes(&path(&id, filename), cube()).await.expect(200);
        let response = seller.get(&format!("/orders/{id}/model")).await;
        let expected = format!("attachment; filename*=UTF-8''{encoded}");
        assert_eq!(response.header("content-disposition"), Some(expected.as_str()));
    }
}

#[tokio::test]
async fn there_is_nothing_to_download_before_the_upload() {
    let crm = crm().await;
    let (seller, id) = order_without_model(&crm).await;
    seller.get(&format!("/orders/{id}/model")).await.expect_problem(404, "model_not_found");
}

#[tokio::test]
async fn a_replaced_model_is_the_one_that_is_downloaded() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = create_order_with_model(&seller, crm.customer_account().await).await;
    let before = get_order(&seller, &id).await;
    let sphere = solids::sphere(4.0, 12).to_obj();
    seller.put_bytes(&path(&id, "sphere.obj"), sphere.clone()).await.expect(200);
    assert!(seller.get(&format!("/orders/{id}/model")).await.bytes == sphere);
    assert_eq!(get_order(&seller, &id).await["history"], before["history"]);
    assert_eq!(crm.stored_models().len(), 1);
}

#[tokio::test]
async fn a_submitted_orders_model_can_not_be_replaced() {
    let crm = crm().await;
    let seller = crm.seller().await;
    let id = submit_order(&seller, crm.customer_account().await).await;
    upload(&seller, &id).await.expect_problem(409, "status_undone");
    assert_eq!(crm.stored_models().len(), 1);
    set_status(&seller, &id, "SUBMITTED").await.expect_problem(409, "status_repeated");
}

#[tokio::test]
async fn what_is_no_model_is_refused_and_nothing_of_it_stays() {
    let limit = cube().len().to_string();
    let crm = service::start::<CrmApi>(&["--upload-limit-bytes", &limit]).await;
    let (seller, id) = order_without_model(&crm).await;
    let larger = [cube(), vec![0]].concat();
    seller.put_bytes(&path(&id, "ring.stl"), larger.clone()).await.expect_problem(413, "model_too_large");
    let chunks = futures::stream::iter([Ok::<_, std::io::Error>(larger)]);
    let request = seller.request(Method::PUT, &path(&id, "ring.stl")).body(reqwest::Body::wrap_stream(chunks));
    Response::to(request).await.expect_problem(413, "model_too_large");
    seller.put_bytes(&path(&id, "ring.exe"), cube()).await.expect_problem(415, "unsupported_model");
    seller.put_bytes(&path(&id, "ring.3mf"), cube()).await.expect_problem(415, "unsupported_model");
    seller.put_bytes(&path(&id, "ring.stl"), "").await.expect_problem(422, "invalid_request");
    seller.put_bytes(&path(&id, ""), cube()).await.expect_problem(422, "invalid_request");
    seller.put_bytes(&format!("/orders/{id}/model"), cube()).await.expect_problem(400, "invalid_query");
    assert_eq!(get_order(&seller, &id).await["status"], "INITIATED");
    assert_eq!(crm.stored_models().len(), 0);
}
