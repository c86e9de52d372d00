"""Corrects ElastAlert 2.19.0 with Elasticsearch 9: alerts that could not be sent at once are sent later.

ElastAlert stores such an alert and searches for it with a range of `from` and `to`. Elasticsearch 9 rejects these
parameters, so the mail would never be sent. This file can be removed when ElastAlert uses `gte` and `lte`. The loader
exists only so that config.yaml can name it, which loads this module.
"""

from elastalert import ElasticSearchClient
from elastalert.loaders import FileRulesLoader


class RulesLoader(FileRulesLoader):
    """The default loader."""


original_search = ElasticSearchClient.search


def search(self, *arguments, **parameters):
    match parameters.get("body"):
        case {"query": {"bool": {"filter": {"range": {"alert_time": {"from": since, "to": until} as bounds}}}}}:
            bounds.clear()
            bounds.update(gte=since, lte=until)
    return original_search(self, *arguments, **parameters)


ElasticSearchClient.search = search
