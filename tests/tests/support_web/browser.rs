//! What an employee does, in a real browser.

use crate::{
    access,
    driver::{Browser, Window},
    logs::{ASKED_FOR, HOSTILE, SLOW, UNPRICED},
    system::support,
};

const WIDE: Window = Window { width: 1280, dark: false };
/// The key in WebDriver's form.
const ENTER: char = '\u{e007}';

#[tokio::test]
async fn from_the_number_on_the_phone_to_the_sentence_it_takes_two_actions() {
    let browser = Browser::open(WIDE).await;
    browser.go(&format!("/orders/{UNPRICED}")).await;
    assert_eq!(browser.path().await, "/login");
    browser.log_in(&support().await).await;
    // The login leads to the link's page.
    assert_eq!(browser.path().await, format!("/orders/{UNPRICED}"));
    browser.wait_for("#answer").await;

    browser.go("/").await;
    // The field has the focus: a person types and presses Enter.
    browser.press(&format!("{SLOW}{ENTER}")).await;
    let answer = browser.text("#answer").await;
    assert!(answer.starts_with("Your order has been in production since"), "{answer}");
    assert!(!answer.contains("UTC"), "times are in the employee's zone: {answer}");
    assert_eq!(browser.path().await, format!("/orders/{SLOW}"));

    // `/` goes to the search from everywhere.
    browser.press("/").await;
    assert_eq!(browser.run("return document.activeElement.id").await, "search-top");

    browser.go("/errors").await;
    browser.click("a[href^='/errors/model_not_closed']").await;
    browser.click(&format!("a[href='/orders/{UNPRICED}']")).await;
    browser.wait_for("#answer").await;
    assert!(browser.text("main").await.contains("the surface has 3 holes"));

    browser.click("footer button").await;
    browser.wait_for("#password").await;
    browser.back().await;
    // Nothing is seen after the log-out.
    browser.wait_for("#password").await;
}

#[tokio::test]
async fn of_two_employees_at_once_one_logs_out_and_the_other_stays() {
    let colleague = access::new_employee("colleague").await;
    let (first, second) = (Browser::of_employee(WIDE).await, Browser::open(WIDE).await);
    second.go("/stuck").await;
    second.log_in(&colleague).await;
    for (browser, login) in [(&first, "support"), (&second, "colleague")] {
        browser.go(&format!("/orders/{SLOW}")).await;
        assert_eq!(browser.text("footer form bdi").await, login);
    }
    first.click("footer button").await;
    first.wait_for("#password").await;
    for (browser, path) in [(&first, "/login"), (&second, "/errors")] {
        browser.go("/errors").await;
        assert_eq!(browser.path().await, path);
    }
    assert_eq!(second.text("footer form bdi").await, "colleague");
}

#[tokio::test]
async fn nothing_in_a_record_runs() {
    let browser = Browser::of_employee(WIDE).await;
    for path in
        [format!("/orders/{HOSTILE}"), format!("/orders/{HOSTILE}?record=1"), "/errors".to_owned(), "/stuck".to_owned()]
    {
        browser.go(&path).await;
        let title = browser.run("return document.title").await;
        assert!(title.as_str().unwrap_or_default().ends_with("· Alexandrite"), "{path}: {title}");
        let active = "return document.querySelectorAll('main script, main img, main a[href^=\"javascript\"], \
                      main svg:not(.trend, .icon, .bar)').length";
        assert_eq!(browser.run(active).await, 0, "{path}");
        assert_eq!(browser.run(SIDEWAYS).await, true, "{path} is wider than its window");
    }
}

/// Whether the page needs no scrolling sideways.
const SIDEWAYS: &str = "return document.documentElement.scrollWidth <= window.innerWidth";

#[tokio::test]
async fn every_page_is_accessible_light_and_dark_and_fits_a_telephone() {
    let pages = async |window| {
        let browser = Browser::open(window).await;
        browser.go("/login").await;
        check(&browser, window, "login").await;
        browser.log_in(&support().await).await;
        for (name, path) in [
            ("start", "/"),
            ("order", "/orders/A-200001"),
            ("failed", "/orders/A-200002?level=40"),
            ("stuck-order", "/orders/A-200003?record=2"),
            ("errors", "/errors?last=7d"),
            ("class", "/errors/model_not_closed"),
            ("stuck", "/stuck?lang=ru"),
            ("alerts", "/alerts?lang=en"),
            ("logins", "/logins"),
            ("trace", "/search?q=0af7651916cd43dd8448eb211c80319c"),
            ("choice", "/search?q=200002"),
            ("nothing", "/search?q=nothing"),
            ("unknown", &format!("/orders/{ASKED_FOR}?action=http.request")),
        ] {
            browser.go(path).await;
            check(&browser, window, name).await;
        }
    };
    tokio::join!(pages(Window { width: 360, dark: false }), pages(Window { width: 1280, dark: true }));
}

async fn check(browser: &Browser, window: Window, name: &str) {
    assert_eq!(browser.violations().await, [""; 0], "{name} {window:?}");
    assert_eq!(browser.run(SIDEWAYS).await, true, "{name} is wider than its window: {window:?}");
    let dark = browser.run("return matchMedia('(prefers-color-scheme: dark)').matches").await;
    assert_eq!(dark, window.dark);
    browser.keep_picture(&format!("{name}-{}", if window.dark { "dark" } else { "narrow" })).await;
}
