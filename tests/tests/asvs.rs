//! `docs/asvs.md`: every requirement once, with a test or a file that there is; and what its lines say of sources.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = include_str!("../../docs/asvs.md");

/// The sections of OWASP ASVS 5.0.0, each with the levels of its requirements in their order: 1.5 has 1.5.1 of level 1, 1.5.2 of
/// level 2 and 1.5.3 of level 3.
#[rustfmt::skip]
const SECTIONS: &[(&str, &str)] = &[
    ("1.1", "22"), ("1.2", "1111122223"), ("1.3", "112222222223"), ("1.4", "222"), ("1.5", "123"),
    ("2.1", "122"), ("2.2", "112"), ("2.3", "12223"), ("2.4", "23"),
    ("3.1", "3"), ("3.2", "113"), ("3.3", "12223"), ("3.4", "11222233"), ("3.5", "11122333"), ("3.6", "3"),
    ("3.7", "22333"),
    ("4.1", "12233"), ("4.2", "23333"), ("4.3", "22"), ("4.4", "1222"),
    ("5.1", "2"), ("5.2", "112333"), ("5.3", "113"), ("5.4", "222"),
    ("6.1", "122"), ("6.2", "111111112222"), ("6.3", "11223333"), ("6.4", "112233"), ("6.5", "22222333"),
    ("6.6", "2223"), ("6.7", "33"), ("6.8", "2222"),
    ("7.1", "222"), ("7.2", "1111"), ("7.3", "22"), ("7.4", "11222"), ("7.5", "223"), ("7.6", "22"),
    ("8.1", "1233"), ("8.2", "1123"), ("8.3", "133"), ("8.4", "23"),
    ("9.1", "111"), ("9.2", "1222"),
    ("10.1", "22"), ("10.2", "223"), ("10.3", "22223"), ("10.4", "1111122222233333"), ("10.5", "22222"),
    ("10.6", "22"), ("10.7", "222"),
    ("11.1", "2233"), ("11.2", "22233"), ("11.3", "11233"), ("11.4", "1222"), ("11.5", "23"), ("11.6", "23"),
    ("11.7", "33"),
    ("12.1", "12233"), ("12.2", "11"), ("12.3", "22223"),
    ("13.1", "2333"), ("13.2", "222223"), ("13.3", "2233"), ("13.4", "1222233"),
    ("14.1", "22"), ("14.2", "12223333"), ("14.3", "122"),
    ("15.1", "12233"), ("15.2", "12233"), ("15.3", "1222222"), ("15.4", "3333"),
    ("16.1", "2"), ("16.2", "22222"), ("16.3", "2222"), ("16.4", "222"), ("16.5", "2223"),
    ("17.1", "23"), ("17.2", "22223333"), ("17.3", "22"),
];
/// How many requirements the levels 1 and 2 have.
const TOTALS: [usize; 2] = [70, 183];

/// What a row of the page says of a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Met,
    NotMet,
    NotApplicable,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in the repository").to_owned()
}

/// The level of each requirement.
fn requirements() -> BTreeMap<String, usize> {
    let of_section = |(section, levels): &(&str, &str)| {
        let section = (*section).to_owned();
        let levels: Vec<_> =
            levels.chars().filter_map(|level| level.to_digit(10)).map(|level| level as usize).collect();
        levels.into_iter().zip(1..).map(move |(level, number)| (format!("{section}.{number}"), level))
    };
    SECTIONS.iter().flat_map(of_section).collect()
}

fn cells(row: &str) -> Vec<&str> {
    row.trim().trim_matches('|').split('|').map(str::trim).collect()
}

/// Whether a text is the number of a requirement.
fn is_number(text: &str) -> bool {
    text.split('.').count() == 3 && text.split('.').all(|part| part.parse::<u8>().is_ok())
}

/// What is wrong with what a row names.
fn wrong_evidence(evidence: &str) -> Option<String> {
    let mut named = evidence.split('`').skip(1).step_by(2).peekable();
    if named.peek().is_none() {
        return Some("it names neither a test nor a file".to_owned());
    }
    named.find_map(|name| {
        let (file, test) = name.split_once("::").map_or((name, None), |(file, test)| (file, Some(test)));
        let Ok(meta) = fs::metadata(root().join(file)) else { return Some(format!("there is no file {file}")) };
        let test = test?;
        let text = if meta.is_file() { fs::read_to_string(root().join(file)).expect("UTF-8") } else { String::new() };
        (!has_test(file, &text, test)).then(|| format!("{file} has no test {test}"))
    })
}

/// Whether a source has a test of this name: marked as one, or a function of the suite that every service's tests run.
fn has_test(file: &str, text: &str, test: &str) -> bool {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let is_in_suite = file.starts_with("tests/testkit/src/contract/");
    (0..lines.len()).any(|line| {
        let Some((before, after)) = lines[line].split_once("fn ") else { return false };
        let name = after.split(['(', '<']).next().unwrap_or_default();
        let mut above = lines[..line].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        let is_marked =
            above.any(|line| *line == "#[test]" || *line == "#[tokio::test]" || line.starts_with("#[tokio::test("));
        name == test && (is_marked || (is_in_suite && before.starts_with("pub ")))
    })
}

/// Everything that is wrong with a page.
fn mistakes(page: &str) -> Vec<String> {
    let requirements = requirements();
    let mut wrong = Vec::new();
    let mut seen: BTreeMap<&str, Verdict> = BTreeMap::new();
    let mut note =
        |wrong: &mut Vec<String>, number, verdict| match (requirements.get(number), seen.insert(number, verdict)) {
            (Some(1 | 2), None) => {}
            (_, Some(_)) => wrong.push(format!("{number} is there twice")),
            _ => wrong.push(format!("{number} is no requirement of level 1 or 2")),
        };
    let (requirements_part, not_applicable) = page.split_once("## Not applicable").unwrap_or((page, ""));
    for line in requirements_part.lines() {
        let [number, level, about, evidence] = cells(line)[..] else { continue };
        if !is_number(number) {
            continue;
        }
        if requirements.get(number).map(ToString::to_string).as_deref() != Some(level) {
            wrong.push(format!("{number} is not of level {level}"));
        }
        if about.is_empty() {
            wrong.push(format!("{number} says nothing of what it is about"));
        }
        let reason = evidence.strip_prefix("not met: ");
        note(&mut wrong, number, if reason.is_some() { Verdict::NotMet } else { Verdict::Met });
        if reason.is_none() {
            wrong.extend(wrong_evidence(evidence).map(|what| format!("{number}: {what}")));
        }
    }
    for line in not_applicable.lines().filter(|line| line.starts_with("- ")) {
        let Some((_, numbers)) = line.split_once(": ") else {
            wrong.push(format!("no reason, or no numbers: {line}"));
            continue;
        };
        for number in numbers.split(", ") {
            note(&mut wrong, number, Verdict::NotApplicable);
        }
    }
    let missing = requirements.iter().filter(|(number, level)| **level < 3 && !seen.contains_key(number.as_str()));
    wrong.extend(missing.map(|(number, _)| format!("{number} is missing")));

    let count = |level, verdict| {
        seen.iter().filter(|(number, of)| **of == verdict && requirements.get(**number) == Some(&level)).count()
    };
    for (name, verdict) in
        [("met", Verdict::Met), ("not met", Verdict::NotMet), ("not applicable", Verdict::NotApplicable)]
    {
        let [one, two] = [1, 2].map(|level| count(level, verdict));
        let row = format!("\n| {name} | {one} | {two} | {} |\n", one + two);
        if !page.contains(&row) {
            wrong.push(format!("the counts should have{}", row.trim_end()));
        }
    }
    wrong
}

#[test]
fn every_requirement_is_there_once_with_a_test_or_a_file_that_there_is() {
    let levels = requirements();
    assert_eq!([1, 2].map(|level| levels.values().filter(|of| **of == level).count()), TOTALS);
    assert_eq!(mistakes(PAGE), [""; 0]);
}

#[test]
fn mistakes_of_the_page_are_found() {
    let changed = |from: &str, to: &str| {
        assert!(PAGE.contains(from), "{from} isn't in the page");
        mistakes(&PAGE.replacen(from, to, 1))
    };
    let row = |number: &str| PAGE.lines().find(|line| line.starts_with(&format!("| {number} |"))).expect("a row");
    assert_eq!(changed("fail_as_one_error_and_orders_go_on", "fail").len(), 1);
    // A function of the file, but no test.
    assert_eq!(changed("`docs/SECURITY.md`", "`tests/tests/security/access.rs::walk`").len(), 1);
    assert_eq!(changed("`docs/pricing.md`", "`docs/prices.md`").len(), 1);
    assert_eq!(changed("| 2.2.2 | 1 |", "| 2.2.2 | 2 |"), ["2.2.2 is not of level 2"]);
    assert_eq!(
        changed(row("2.1.2"), "| 2.1.2 | 2 | rules | somewhere |"),
        ["2.1.2: it names neither a test nor a file"]
    );
    let twice = changed(row("2.1.2"), &format!("{0}\n{0}", row("2.1.2")));
    assert_eq!(twice, ["2.1.2 is there twice"]);
    assert!(changed(row("2.1.2"), "").contains(&"2.1.2 is missing".to_owned()));
    assert!(
        changed("- No WebRTC: 17.1.1", "- No WebRTC: 17.1.2")
            .contains(&"17.1.2 is no requirement of level 1 or 2".to_owned())
    );
    let unmet = changed(row("2.1.2"), "| 2.1.2 | 2 | rules | not met: they are nowhere |");
    assert!(unmet.len() == 2 && unmet.iter().all(|what| what.starts_with("the counts should have")), "{unmet:?}");
}

/// The sources below a folder, without their unit tests.
fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&entry).expect("a source");
            let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
            found.push((entry, code));
        }
    }
}

#[test]
fn no_service_starts_a_process() {
    let starts =
        |code: &str| ["Command::new", "process::Command", "libc::", "exec("].iter().any(|way| code.contains(way));
    let mut found = Vec::new();
    for of in
        ["catalogue", "common", "crm-api", "elk/questions", "mes-api", "mesh", "shop-api", "shop-orders", "support-web"]
    {
        sources(&root().join(of).join("src"), &mut found);
    }
    assert!(found.len() > 100, "{} sources", found.len());
    let starting: Vec<_> = found.iter().filter(|(_, code)| starts(code)).map(|(path, _)| path).collect();
    assert!(starting.is_empty(), "{starting:?}");
    // The runner does.
    let mut runner = Vec::new();
    sources(&root().join("tools/local/src"), &mut runner);
    assert!(runner.iter().any(|(_, code)| starts(code)), "a start goes unnoticed");
}

#[test]
fn the_pages_script_makes_no_code_and_keeps_nothing() {
    let script = fs::read_to_string(root().join("support-web/assets/page.js")).expect("the script");
    assert!(script.contains("textContent"));
    for way in [
        "eval(",
        "Function(",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "srcdoc",
        "createElement(",
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "postMessage",
        "fetch(",
        "XMLHttpRequest",
        "__proto__",
        "Object.assign",
        "JSON.parse",
    ] {
        assert!(!script.contains(way), "{way}");
    }
}
