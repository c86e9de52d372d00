-- contract: `orders.reported_status` has replaced it since 0002, which is older than version 0.1.0; no version uses it.
DROP TABLE stuck_reports;
