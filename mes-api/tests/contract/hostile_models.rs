//! Models made to break their reader, sent by a partner: each is refused on arrival, or its price fails for a reason
//! that the partner can understand.

use common::domain::OrderId;
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use testkit::solids::{archive, cube, model_3mf, package_3mf};

use crate::support::{PRICES, count, priced, start};

/// What becomes of a file.
enum Fate {
    /// It isn't taken: the status and the problem's code.
    Refused(u16, &'static str),
    /// Its price can't be calculated: what the partner reads.
    Failed(&'static str),
    /// It is a model like any other.
    Priced,
}

use Fate::{Failed, Priced, Refused};

/// A binary STL file with this coordinate in the place of one of its own.
fn stl_with(coordinate: f32) -> Vec<u8> {
    let mut file = cube(10.0).to_binary_stl();
    file[84 + 12..84 + 16].copy_from_slice(&coordinate.to_le_bytes());
    file
}

fn stl_of_four_billion() -> Vec<u8> {
    let mut file = cube(10.0).to_binary_stl();
    file[80..84].copy_from_slice(&u32::MAX.to_le_bytes());
    file
}

/// One face with so many corners that it makes ten million triangles: binary, the same model would be half a gigabyte.
fn obj_of_ten_million() -> Vec<u8> {
    [b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2".as_slice(), &b" 3".repeat(10_000_000)].concat()
}

/// Unpacks to 600 MiB.
fn bomb() -> Vec<u8> {
    let nothing = format!("<!-- -->{}", " ".repeat(500_000));
    let model = format!("<model><resources/><build/></model>{}", nothing.repeat(1_260));
    package_3mf(&[("3D/3dmodel.model", &model)])
}

/// Its model is said to be outside of the archive, where another file of it pretends to be.
fn names_with_dots() -> Vec<u8> {
    let model = b"<model><build><item objectid=\"1\" p:path=\"/../../../etc/passwd\"/></build></model>";
    let mut file = archive(&[("xx/xx/xx/etc/passwd", b"root"), ("3D/3dmodel.model", model)]);
    while let Some(position) = file.windows(3).position(|window| window == b"xx/") {
        file[position..position + 3].copy_from_slice(b"../");
    }
    file
}

fn components_without_end() -> Vec<u8> {
    let object = "<object id=\"1\"><components><component objectid=\"1\"/></components></object>";
    model_3mf("millimeter", object, "<item objectid=\"1\"/>")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_made_to_break_its_reader_is_refused_or_fails_for_a_reason_that_can_be_read() {
    let mes = start(&PRICES).await;
    let (partner, operator) = (mes.partner().await, mes.operator().await);
    let text = |text: &str| text.as_bytes().to_vec();
    let files = [
        ("claims.stl", stl_of_four_billion(), Failed("ends before the last of the triangles that it declares")),
        ("nan.stl", stl_with(f32::NAN), Failed("a coordinate that is not a number or is out of range")),
        ("infinite.stl", stl_with(f32::INFINITY), Failed("a coordinate that is not a number or is out of range")),
        ("nan.obj", text("v nan 0 0\nf 1 1 1\n"), Failed("a coordinate that is not a number or is out of range")),
        ("many.obj", obj_of_ten_million(), Failed("more than 2000000 triangles. Export it with a coarser resolution")),
        ("bomb.3mf", bomb(), Failed("unpacks to more than 512 MiB. Export it with a coarser resolution")),
        ("dots.3mf", names_with_dots(), Failed("The file can't be read as a 3D model")),
        ("endless.3mf", components_without_end(), Failed("contain themselves or nest too deeply")),
        ("line.obj", [text("v 0."), vec![b'1'; 8 << 20]].concat(), Failed("a coordinate is not a number (line 1)")),
        ("nowhere.obj", text("v 0 0 0\nf 1 2 4294967296\n"), Failed("refers to a vertex that doesn't exist")),
        ("header.stl", vec![0; 84], Failed("The file contains no triangles")),
        ("named.obj", [text("mtllib /etc/passwd\n"), cube(10.0).to_obj()].concat(), Priced),
        ("empty.stl", Vec::new(), Refused(422, "invalid_request")),
        ("empty.obj", Vec::new(), Refused(422, "invalid_request")),
        ("empty.3mf", Vec::new(), Refused(422, "invalid_request")),
        ("bomb.stl", archive(&[("bomb", &[0; 1 << 20])]), Refused(415, "unsupported_model")),
        ("../../etc/passwd", text("root"), Refused(415, "unsupported_model")),
    ];
    let mut taken = 0;
    for (filename, file, fate) in files {
        let form = Form::new().text("material", "silver_925").text("quantity", "1");
        let form = form.part("model", Part::bytes(file).file_name(filename));
        let placed = partner.post_form("/partner/orders", form).await;
        if let Refused(status, code) = fate {
            placed.expect_problem(status, code);
            continue;
        }
        taken += 1;
        let id: OrderId = placed.expect(202)["id"].as_str().and_then(|id| id.parse().ok()).unwrap();
        priced(&operator, &id).await;
        let order = partner.get(&format!("/partner/orders/{id}")).await.expect(200);
        match fate {
            Failed(reason) => {
                assert_eq!((&order["price_status"], &order["price"]), (&"FAILED".into(), &Value::Null), "{filename}");
                let told = order["price_failure"]["detail"].as_str().unwrap();
                assert!(told.contains(reason), "{filename}: {told}");
            }
            Priced | Refused(..) => assert_eq!(order["price"]["amount_minor"], 4_560, "{filename}: {order}"),
        }
    }
    // What was refused has left nothing.
    assert_eq!(count(&mes, "SELECT count(*) FROM orders").await, taken);
    assert_eq!(mes.stored_models().len() as i64, taken);
}
