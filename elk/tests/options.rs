//! Every option of Filebeat's and Logstash's configuration is one that the documentation of 9.5 lists for its plugin, and
//! Logstash's files follow the grammar of its language. Neither program is run by the tests.

use std::collections::BTreeSet;

use serde_json::Value;

/// Names after each other, with blanks between.
type Names = &'static str;

const COMMON_TO_INPUTS: Names = "add_field codec enable_metric id tags type";
const COMMON_TO_FILTERS: Names = "add_field add_tag enable_metric id periodic_flush remove_field remove_tag";
const COMMON_TO_OUTPUTS: Names = "codec enable_metric id";

/// The options of each plugin that is used.
const PLUGINS: [(&str, &str, Names); 9] = [
    (
        "input",
        "beats",
        "add_hostname client_inactivity_timeout ecs_compatibility enrich event_loop_threads executor_threads host \
         include_codec_tag port ssl_certificate ssl_certificate_authorities ssl_cipher_suites ssl_client_authentication \
         ssl_enabled ssl_handshake_timeout ssl_key ssl_key_passphrase ssl_supported_protocols",
    ),
    ("input", "dead_letter_queue", "clean_consumed commit_offsets path pipeline_id sincedb_path start_timestamp"),
    ("filter", "drop", "percentage"),
    (
        "filter",
        "mutate",
        "capitalize coerce convert copy gsub join lowercase merge rename replace split strip tag_on_failure update \
         uppercase",
    ),
    ("filter", "prune", "blacklist_names blacklist_values interpolate whitelist_names whitelist_values"),
    ("filter", "ruby", "code init path script_params tag_on_exception tag_with_exception_message"),
    ("filter", "json", "ecs_compatibility skip_on_invalid_json source tag_on_failure target"),
    ("filter", "date", "locale match precision tag_on_failure target timezone"),
    (
        "output",
        "elasticsearch",
        "action api_key bulk_path cacert cloud_auth cloud_id compression_level custom_headers data_stream \
         data_stream_auto_routing data_stream_dataset data_stream_namespace data_stream_sync_fields data_stream_type \
         dlq_custom_codes dlq_on_failed_indexname_interpolation doc_as_upsert document_id document_type \
         drop_error_types ecs_compatibility healthcheck_path hosts http_compression ilm_enabled ilm_pattern ilm_policy \
         ilm_rollover_alias index join_field manage_template parameters parent password path pipeline pool_max \
         pool_max_per_route proxy resurrect_delay retry_initial_interval retry_max_interval retry_on_conflict routing \
         script script_lang script_type script_var_name scripted_upsert silence_errors_in_log sniffing \
         sniffing_delay sniffing_path ssl_certificate_authorities ssl_cipher_suites ssl_enabled ssl_key \
         ssl_keystore_path ssl_keystore_password ssl_supported_protocols ssl_verification_mode template \
         template_api template_name template_overwrite timeout upsert user validate_after_inactivity version \
         version_type",
    ),
];

/// A file in Logstash's language: its sections, their plugins and conditions.
struct Reader<'a> {
    rest: &'a str,
    section: &'a str,
    used: Vec<(&'a str, &'a str)>,
}

impl<'a> Reader<'a> {
    fn of(text: &'a str) -> Self {
        let mut reader = Self { rest: text, section: "", used: Vec::new() };
        while !reader.at_end() {
            reader.section = reader.word();
            assert!(["input", "filter", "output"].contains(&reader.section), "a section: {}", reader.section);
            reader.block();
        }
        reader
    }

    fn skip(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            let Some(comment) = self.rest.strip_prefix('#') else { return };
            self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        }
    }

    fn at_end(&mut self) -> bool {
        self.skip();
        self.rest.is_empty()
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        self.rest.strip_prefix(token).inspect(|rest| self.rest = rest).is_some()
    }

    #[track_caller]
    fn expect(&mut self, token: &str) {
        assert!(self.take(token), "{token} has to stand before {:.40}", self.rest);
    }

    fn word(&mut self) -> &'a str {
        self.skip();
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(self.rest.len());
        assert!(end > 0, "a word has to stand before {:.40}", self.rest);
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn block(&mut self) {
        self.expect("{");
        while !self.take("}") {
            match self.word() {
                "if" => self.branch(),
                plugin => self.plugin(plugin),
            }
        }
    }

    fn branch(&mut self) {
        self.condition();
        self.block();
        while self.take("else") {
            if self.take("if") {
                self.condition();
            }
            self.block();
        }
    }

    /// Up to the brace: operands are fields in brackets, texts, lists and patterns.
    fn condition(&mut self) {
        self.skip();
        while !self.rest.starts_with('{') {
            match self.rest.chars().next().expect("a condition ends") {
                '"' => drop(self.text()),
                '/' => self.pattern(),
                _ => self.rest = &self.rest[self.rest.chars().next().map_or(0, char::len_utf8)..],
            }
            self.skip();
        }
    }

    /// Between slashes; one with a backslash before it belongs to the pattern.
    fn pattern(&mut self) {
        self.expect("/");
        loop {
            let end = self.rest.find(['/', '\\']).expect("a pattern ends");
            let is_end = self.rest[end..].starts_with('/');
            self.rest = &self.rest[end + if is_end { 1 } else { 2 }..];
            if is_end {
                return;
            }
        }
    }

    fn plugin(&mut self, plugin: &'a str) {
        self.expect("{");
        while !self.take("}") {
            let option = self.word();
            self.used.push((plugin, option));
            self.expect("=>");
            self.value();
        }
        if self.used.last().is_none_or(|(last, _)| *last != plugin) {
            self.used.push((plugin, ""));
        }
    }

    fn value(&mut self) {
        if self.take("{") {
            while !self.take("}") {
                self.text();
                self.expect("=>");
                self.value();
            }
        } else if self.take("[") {
            while !self.take("]") {
                self.value();
                self.take(",");
            }
        } else if self.rest.trim_start().starts_with('"') {
            self.text();
        } else {
            // A number, a truth value or a bare word.
            self.word();
        }
    }

    /// Escapes are not read unless a setting says so: no text contains a quote.
    fn text(&mut self) -> &'a str {
        self.expect("\"");
        let (text, rest) = self.rest.split_once('"').expect("a text ends");
        self.rest = rest;
        text
    }
}

#[test]
fn logstash_has_every_plugin_and_option_that_is_used() {
    for text in
        [include_str!("../logstash/pipeline/records.conf"), include_str!("../logstash/pipeline/dead-letters.conf")]
    {
        let reader = Reader::of(text);
        assert!(reader.used.len() > 10, "{:?}", reader.used);
        for (plugin, option) in reader.used {
            let (section, _, own) = PLUGINS.iter().find(|(_, name, _)| *name == plugin).expect("a known plugin");
            let common = match *section {
                "input" => COMMON_TO_INPUTS,
                "filter" => COMMON_TO_FILTERS,
                _ => COMMON_TO_OUTPUTS,
            };
            let known =
                option.is_empty() || [*own, common].iter().any(|names| names.split(' ').any(|name| name == option));
            assert!(known, "{plugin} has no option {option}");
        }
    }
}

#[test]
#[should_panic(expected = "a text ends")]
fn a_text_without_an_end_is_no_configuration() {
    Reader::of("filter { mutate { gsub => [\"a] } }");
}

#[test]
#[should_panic(expected = "=> has to stand before")]
fn an_option_without_an_arrow_is_no_configuration() {
    Reader::of("input { beats { port 5044 } }");
}

const LOGSTASH: Names = "api.http.host dead_letter_queue.flush_interval dead_letter_queue.max_bytes log.level \
                         pipeline.batch.size pipeline.ecs_compatibility pipeline.workers queue.max_bytes queue.type";
const PIPELINES: Names = "pipeline.id path.config dead_letter_queue.enable";
const FILEBEAT: Names = "filebeat.inputs filebeat.shutdown_timeout http.enabled http.host http.port logging.level \
                         output.logstash.hosts";
const FILESTREAM: Names = "backoff.init backoff.max clean_inactive clean_removed close.on_state_change.inactive \
                           close.on_state_change.removed close.on_state_change.renamed close.reader.after_interval \
                           close.reader.on_eof encoding exclude_lines file_identity.fingerprint harvester_limit id \
                           ignore_inactive ignore_older include_lines message_max_bytes parsers paths processors \
                           prospector.scanner.check_interval prospector.scanner.exclude_files \
                           prospector.scanner.fingerprint.enabled prospector.scanner.fingerprint.length \
                           prospector.scanner.fingerprint.offset prospector.scanner.include_files \
                           prospector.scanner.resend_on_touch prospector.scanner.symlinks seek take_over type";

/// The settings' whole names: maps are only another way to write dots. A list is one value.
fn settings(value: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(parts) => {
            for (name, part) in parts {
                let whole = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                settings(part, &whole, found);
            }
        }
        _ => drop(found.insert(prefix.to_owned())),
    }
}

#[track_caller]
fn only(value: &Value, known: Names) {
    let mut found = BTreeSet::new();
    settings(value, "", &mut found);
    for name in found {
        assert!(known.split_whitespace().any(|known| known == name), "{name} is not among {known}");
    }
}

#[test]
fn filebeat_and_logstash_have_every_setting_that_is_used() {
    let yaml = |text| serde_saphyr::from_str::<Value>(text).expect("it is YAML");
    only(&yaml(include_str!("../logstash/logstash.yml")), LOGSTASH);
    for pipeline in yaml(include_str!("../logstash/pipelines.yml")).as_array().expect("a list") {
        only(pipeline, PIPELINES);
    }
    let filebeat = yaml(include_str!("../filebeat/filebeat.yml"));
    only(&filebeat, FILEBEAT);
    for input in filebeat["filebeat.inputs"].as_array().expect("a list") {
        only(input, FILESTREAM);
    }
}
