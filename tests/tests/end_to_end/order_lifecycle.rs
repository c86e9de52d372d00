//! Orders from their creation to their delivery, the trails that they leave, and their prices.

use common::domain::OrderStatus::{self, PriceCalculated, Submitted};
use serde_json::{Value, json};
use testkit::{Client, order_lifecycle, solids};

use crate::support::{
    log,
    search::{Search, matching},
    site::{OrderActions as _, number},
    system,
};

#[tokio::test]
async fn a_customers_order_lives_through_all_ten_statuses_and_support_sees_its_whole_trail() {
    order_lifecycle::a_customers_order(&system::site().await, &*Search::as_support().await).await;
}

#[tokio::test]
async fn a_seller_orders_for_a_customer_who_sees_the_order_in_the_shop() {
    order_lifecycle::a_sellers_order(&system::site().await, &*Search::as_support().await).await;
}

#[tokio::test]
async fn a_partners_order_appears_in_the_crm_and_goes_the_same_way() {
    order_lifecycle::a_partners_order(&system::site().await, &*Search::as_support().await).await;
}

/// The published formula, in whole numbers: for a volume in thousandths of a mm³.
fn price_of(volume: u128, triangles: u128, material: &str, quantity: u128) -> u128 {
    let list: toml::Table = include_str!("../../../mes-api/prices.toml").parse().expect("prices.toml is TOML");
    let number = |table: &toml::Value, name: &str| table[name].as_integer().expect("a whole number").unsigned_abs();
    let metal = &list["materials"][material];
    let per_volume = u128::from(number(metal, "density_mg_per_cm3")) * u128::from(number(metal, "per_gram_minor"));
    let work = u128::from(number(&list["work"], "base_minor"))
        + triangles.div_ceil(1000) * u128::from(number(&list["work"], "per_1000_triangles_minor"));
    ((volume * per_volume + 500_000_000) / 1_000_000_000 + work) * quantity
}

#[tokio::test]
async fn the_price_is_that_of_the_published_formula_for_every_format() {
    let inch = solids::cube(1.0).to_3mf_mesh();
    let inch = format!("<object id=\"1\" type=\"model\">{inch}</object>");
    let ball = solids::sphere(8.0, 64);
    let models = [
        ("cube.stl", solids::cube(12.0).to_binary_stl(), "gold_750", 1, 1_728_000, 12),
        ("text.stl", solids::cube(5.0).to_ascii_stl(), "platinum_950", 1000, 125_000, 12),
        ("frame.obj", solids::cube_with_hole(10.0, 4.0).to_obj(), "silver_925", 3, 840_000, 32),
        ("cube.3mf", solids::cube(7.5).to_3mf(), "gold_585", 2, 421_875, 12),
        ("inch.3mf", solids::model_3mf("inch", &inch, "<item objectid=\"1\"/>"), "silver_925", 1, 16_387_064, 12),
        ("ball.obj", ball.to_obj(), "gold_585", 1, thousandths(&ball), ball.triangles.len() as u128),
    ];
    let ada = system::site().await.customer().await;
    let priced = models.map(|(filename, model, material, quantity, volume, triangles)| {
        let ada = ada.clone();
        async move {
            let price = price_in_the_shop(&ada, filename, model, material, quantity).await;
            let expected = price_of(volume, triangles, material, u128::from(quantity));
            assert_eq!(price, json!({"amount_minor": expected, "currency": "EUR"}), "{filename}");
        }
    });
    futures::future::join_all(priced).await;
}

/// The volume by the divergence theorem, in thousandths of a mm³.
fn thousandths(solid: &solids::Solid) -> u128 {
    let corner = |index: u32| solid.vertices[index as usize];
    let sixfold: f64 = solid
        .triangles
        .iter()
        .map(|&[a, b, c]| {
            let ([ax, ay, az], [bx, by, bz], [cx, cy, cz]) = (corner(a), corner(b), corner(c));
            ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
        })
        .sum();
    (sixfold / 6.0 * 1000.0).round() as u128
}

async fn price_in_the_shop(ada: &Client, filename: &str, model: Vec<u8>, material: &str, quantity: u16) -> Value {
    let wish = json!({"material": material, "quantity": quantity});
    let order = number(&ada.post_json("/orders", wish).await.expect(201));
    ada.upload(&order, filename, model).await;
    ada.advance(&order, Submitted).await;
    ada.wait_for(&order, PriceCalculated).await["price"].clone()
}

#[tokio::test]
async fn of_two_operators_at_once_one_gets_the_order() {
    let site = system::site().await;
    let order = site.customer().await.submit_new().await;
    let (seller, one, other) = (site.seller().await, site.operator().await, site.second_operator().await);
    seller.wait_for(&order, PriceCalculated).await;
    seller.advance(&order, OrderStatus::ManufacturingApproved).await;
    one.wait_for(&order, OrderStatus::ManufacturingApproved).await;
    let path = format!("/orders/{order}/operator");
    let (first, second) = tokio::join!(one.put(&path), other.put(&path));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let winner = if first.status == 200 { &one } else { &other };
    let of_order = [("order.id", &*order), ("event.action", "order.operator_assigned")];
    // Both have their responses, so all that is written of them stands in the log.
    let lines = log::lines(&system::file().await.logs.join("mes-api.log"));
    let written = lines.iter().filter(|line| line.contains(&order)).map(|line| log::parse(line).expect("a record"));
    assert_eq!(written.filter(|record| log::has(record, &of_order)).count(), 1);
    let assigned = Search::as_support().await.at_least(1, &matching(&of_order)).await;
    assert_eq!(assigned.len(), 1);
    assert!(log::has(&assigned[0], &[("operator.id", &winner.account().to_string())]), "{assigned:?}");
}
