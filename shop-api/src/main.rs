//! The program `shop-api`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::service::main::<shop_api::ShopApi>()
}
