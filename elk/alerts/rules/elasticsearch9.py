"""Lets ElastAlert 2.19.0 send with Elasticsearch 9 what could not be sent at once.

ElastAlert keeps such an alert and looks for it again, with a range of `from` and `to`. Elasticsearch 9 refuses these
words, so the mail would never go out, and the log would say so four times a minute. This file goes when ElastAlert has
learnt `gte` and `lte`; its loader does nothing else than being named in config.yaml.
"""

from elastalert import ElasticSearchClient
from elastalert.loaders import FileRulesLoader


class RulesLoader(FileRulesLoader):
    """The usual loader."""


search_as_it_was = ElasticSearchClient.search


def search(self, *arguments, **parameters):
    match parameters.get("body"):
        case {"query": {"bool": {"filter": {"range": {"alert_time": {"from": since, "to": until} as bounds}}}}}:
            bounds.clear()
            bounds.update(gte=since, lte=until)
    return search_as_it_was(self, *arguments, **parameters)


ElasticSearchClient.search = search
