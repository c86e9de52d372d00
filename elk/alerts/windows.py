"""Rule types that count records in windows of time up to now, and compare windows.

ElastAlert's own types read each record of a flood (`frequency`), count each moment once and forget it at a restart
(`spike`), or send a mail for each value of a field (`query_key`). These ask Elasticsearch at each run for sums over their
whole windows: one small search, however many records there are, and a restart changes nothing.
"""

from datetime import timedelta

from elastalert.ruletypes import RuleType
from elastalert.util import dt_to_ts, elasticsearch_client

MINUTE = timedelta(minutes=1)


class Flood(RuleType):
    """At least `num_events` records within the `timeframe`, or at least `of_one` of them with one value of the field `field`."""

    required_options = frozenset(["timeframe", "num_events", "of_one", "field"])

    def __init__(self, rules, args=None):
        super().__init__(rules, args)
        look_back(rules, rules["timeframe"])
        rules["aggregation_query_element"] = {
            "records": {"value_count": {"field": rules["timestamp_field"]}},
            "sources": {"cardinality": {"field": rules["field"]}},
            "largest": {"terms": {"field": rules["field"], "size": 1}},
        }

    def add_aggregation_data(self, payload):
        for end, sums in payload.items():
            largest = max((bucket["doc_count"] for bucket in sums["largest"]["buckets"]), default=0)
            count = sums["records"]["value"]
            if count >= self.rules["num_events"] or largest >= self.rules["of_one"]:
                self.add_match({"@timestamp": end, "count": count, "sources": sums["sources"]["value"], "largest": largest})


class Minutes(RuleType):
    """What types have in common that compare windows: the sums of each minute."""

    def __init__(self, rules, args=None):
        super().__init__(rules, args)
        look_back(rules, self.longest())
        rules["bucket_interval"] = {"minutes": 1}
        rules["bucket_interval_timedelta"] = MINUTE
        rules["bucket_interval_period"] = "1m"
        rules["aggregation_query_element"] = {"counted": {"filter": {"bool": {"filter": rules["counted"]}}}}

    def add_aggregation_data(self, payload):
        for end, sums in payload.items():
            # ElastAlert has the minutes begin where the windows begin, so that the last one ends now.
            minutes = sums["interval_aggs"]["buckets"]
            match = self.match([(age(end, minute), minute) for minute in minutes], end)
            if match:
                self.add_match({"@timestamp": end, **match})


class Rise(Minutes):
    """At least `least` counted records within the `timeframe`, and `height` times as many as in the `usual` time before it.

    Silent unless there are any records at the beginning of the usual time: while a system starts, nothing is usual yet.
    """

    required_options = frozenset(["timeframe", "usual", "height", "least", "counted"])

    def longest(self):
        return self.rules["timeframe"] + timedelta(**self.rules["usual"])

    def match(self, minutes, _end):
        timeframe = self.rules["timeframe"]
        beginning = self.longest() - 10 * MINUTE
        if not any(minute["doc_count"] for age, minute in minutes if age > beginning):
            return None
        count = sum(minute["counted"]["doc_count"] for age, minute in minutes if age <= timeframe)
        before = sum(minute["counted"]["doc_count"] for age, minute in minutes if age > timeframe)
        usual = before * (timeframe / timedelta(**self.rules["usual"]))
        if count < self.rules["least"] or count < self.rules["height"] * usual:
            return None
        return {"count": count, "usual": round(usual, 1)}


class Burn(Minutes):
    """The budget of an objective burns `rate` times as fast as it may, over the windows `long` and `short`.

    `filter` selects what the objective is about, `counted` what misses it, `objective` is the promised share in percent.
    The long window says that it matters, the short one that it goes on (https://sre.google/workbook/alerting-on-slos/).
    Fewer than `least` misses don't count: of ten requests at night, one is 10 %.
    """

    required_options = frozenset(["long", "short", "objective", "rate", "least", "period", "counted"])

    def longest(self):
        return timedelta(**self.rules["long"])

    def match(self, minutes, end):
        long, missed = self.burnt(minutes, self.longest())
        short, _ = self.burnt(minutes, timedelta(**self.rules["short"]))
        if missed < self.rules["least"] or min(long, short) < self.rules["rate"]:
            return None
        return {"count": missed, "burn_rate": round(long, 1), "burn_rate_now": round(short, 1), "budget_left": self.left(end)}

    def burnt(self, minutes, window):
        """How many times as fast as it may the budget burns in this window, and how many miss the objective there."""
        inside = [minute for age, minute in minutes if age <= window]
        missed = sum(minute["counted"]["doc_count"] for minute in inside)
        return self.share(missed, sum(minute["doc_count"] for minute in inside)), missed

    def share(self, missed, count):
        return missed / count / (1 - self.rules["objective"] / 100) if count else 0.0

    def left(self, end):
        """How much of the budget of the whole period is left; negative if more than all of it is burnt."""
        begin = end - timedelta(**self.rules["period"])
        span = {"range": {self.rules["timestamp_field"]: {"gt": dt_to_ts(begin), "lte": dt_to_ts(end)}}}
        count = {
            "size": 0,
            "track_total_hits": True,
            # In the shape that ElastAlert's client expects.
            "query": {"bool": {"filter": {"bool": {"must": [span, *self.rules["filter"]]}}}},
            "aggs": self.rules["aggregation_query_element"],
        }
        found = elasticsearch_client(self.rules).search(index=self.rules["index"], body=count, ignore_unavailable=True)
        missed = found["aggregations"]["counted"]["doc_count"]
        return f"{100 * (1 - self.share(missed, found['hits']['total']['value'])):.0f} %"


def look_back(rules, window):
    """Has ElastAlert ask for all of this window at each run, also at the first one after a restart."""
    rules["buffer_time"] = window
    rules["allow_buffer_time_overlap"] = True


def age(end, minute):
    """How long before the end a minute began, to the second."""
    return timedelta(seconds=round(end.timestamp() - minute["key"] / 1000))
