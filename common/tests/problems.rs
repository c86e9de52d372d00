//! The page about problems is the codes', and the codes are what HTTP has.

use std::{collections::HashSet, fs, path::Path};

use common::problem::{ProblemCode, page};

#[test]
fn the_page_about_problems_is_written_from_the_codes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/problems.md");
    if std::env::var_os("UPDATE_PROBLEMS").is_some() {
        fs::write(&path, page::markdown()).expect("the page can be written");
    }
    let written = fs::read_to_string(&path).expect("the page can be read");
    assert_eq!(written, page::markdown(), "UPDATE_PROBLEMS=1 cargo test -p common --test problems writes it anew");
}

#[test]
fn every_code_is_one_word_with_an_error_status_and_an_entry_that_its_type_leads_to() {
    let names: HashSet<_> = ProblemCode::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), ProblemCode::ALL.len(), "two codes have the same name");
    let html = page::html();
    for code in ProblemCode::ALL {
        assert!(code.name().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
        assert!((400..600).contains(&code.status()), "{code} has the status {}", code.status());
        assert!(html.contains(&format!("id=\"{code}\"")), "{code} has no entry");
        assert!(code.meaning().ends_with('.') && code.remedy().ends_with('.'), "{code} needs whole sentences");
    }
}
