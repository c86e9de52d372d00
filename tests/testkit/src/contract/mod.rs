//! The contract suite: what every service promises, as tests that run against each of the three.
//!
//! ```ignore
//! // In a service's tests/contract/main.rs:
//! testkit::contract_suite!(shop_api::ShopApi, common::domain::Role::Customer);
//! ```
//!
//! The role is that of the service's usual caller, whose list of orders is at `/orders`.

pub mod accounts;
pub mod documentation;
pub mod health;
pub mod outages;
pub mod problems;
pub mod records;
pub mod sessions;
pub mod settings;

/// Makes a test of each function of the suite for one service; test functions can't be made otherwise.
#[macro_export]
macro_rules! contract_suite {
    ($service:ty, $role:expr) => {
        mod suite {
            $crate::contract_suite! { $service, $role, accounts:
                a_new_password_ends_all_other_sessions,
                what_has_verified_the_old_password_fails_after_its_change,
                a_password_is_changed_only_with_the_old_one,
                own_sessions_are_listed_and_ended,
                what_a_command_changes_is_recorded_by_the_service,
                a_session_that_is_over_is_recorded_once,
                a_keys_first_use_and_its_refusal_are_recorded,
            }
            $crate::contract_suite! { $service, $role, documentation:
                everything_that_the_document_refers_to_is_in_it,
                the_page_for_people_is_there,
                every_problem_is_documented_as_one,
            }
            $crate::contract_suite! { $service, $role, health:
                a_service_is_ready_and_names_each_dependency,
                without_the_database_it_is_alive_but_not_ready_until_the_database_is_back,
                a_service_whose_connections_are_all_in_use_is_ready,
                without_the_model_store_it_is_degraded,
            }
            $crate::contract_suite! { $service, $role, outages:
                a_login_that_can_not_be_checked_is_one_error,
                without_the_database_every_request_is_one_error_under_its_action,
                a_clients_mistake_is_no_error,
            }
            $crate::contract_suite! { $service, $role, problems:
                a_body_that_is_no_json_is_a_bad_request,
                another_media_type_than_json_is_not_supported,
                a_path_that_does_not_exist_is_not_found,
                a_method_that_a_path_does_not_know_is_refused_with_those_it_does,
                a_body_that_is_too_large_is_refused,
                a_well_formed_request_id_is_used_and_another_one_replaced,
                a_clients_trace_is_continued,
                no_response_is_cached_or_sniffed,
                a_request_without_a_token_or_of_another_role_is_refused,
                a_problems_type_leads_to_its_entry,
            }
            $crate::contract_suite! { $service, $role, records:
                the_third_failed_login_in_a_row_is_a_warning,
                failures_more_than_fifteen_minutes_apart_are_not_in_a_row,
                the_third_failed_login_of_no_account_is_a_warning,
                a_login_that_no_account_has_is_recorded_as_a_hash,
                a_login_and_a_logout_are_recorded,
                a_login_that_has_to_wait_is_recorded,
                an_operation_that_is_denied_is_a_warning,
                a_request_about_an_order_names_it_in_its_record,
                a_request_whose_client_leaves_at_once_is_recorded_as_well,
                a_request_is_recorded_with_its_route_and_its_account_in_its_clients_trace,
                what_people_type_gets_into_no_record,
            }
            $crate::contract_suite! { $service, $role, sessions:
                logging_in_returns_a_token_for_the_account,
                wrong_unknown_and_disabled_look_the_same,
                after_many_failures_an_account_has_to_wait_but_not_for_ever,
                guesses_at_once_wait_like_guesses_one_by_one,
                another_account_does_not_have_to_wait,
                a_success_makes_the_count_start_anew,
                logging_out_ends_this_session_at_once_and_no_other,
                logging_out_without_a_session_is_refused,
                a_session_that_is_not_used_ends,
                a_session_in_use_ends_at_its_time_as_well,
                disabling_an_account_ends_its_sessions_at_once_and_for_good,
                the_database_keeps_neither_passwords_nor_tokens,
            }
            $crate::contract_suite! { $service, $role, settings:
                every_setting_is_documented,
                every_setting_has_a_default,
                a_value_that_can_not_be_read_is_named,
                a_value_that_can_not_be_used_is_named,
            }
        }
    };
    ($service:ty, $role:expr, $topic:ident: $($test:ident,)*) => {
        mod $topic {
            $(
                #[tokio::test]
                async fn $test() {
                    $crate::contract::$topic::$test::<$service>($role).await;
                }
            )*
        }
    };
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    #[test]
    fn every_function_of_the_suite_is_run() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract");
        let suite = fs::read_to_string(folder.join("mod.rs")).expect("this file");
        let mut seen = 0;
        for topic in fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()) {
            let source = fs::read_to_string(&topic).expect("a source");
            for line in source.lines().filter(|line| line.contains("<S: Definition>(") && line.starts_with("pub async"))
            {
                let name = line.trim_start_matches("pub async fn ").split('<').next().expect("a name");
                assert!(suite.contains(&format!(" {name},")), "{} has {name}, which is not run", topic.display());
                seen += 1;
            }
        }
        assert!(seen > 30, "{seen} functions");
    }
}
