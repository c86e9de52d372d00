"""A rule type that asks Elasticsearch how full its disks are: no record says that."""

from elastalert.ruletypes import RuleType
from elastalert.util import elasticsearch_client


class Filling(RuleType):
    """A node's disk has less than `least_free` percent of room left."""

    required_options = frozenset(["least_free"])

    def add_data(self, data):
        # The records that the rule reads say nothing of the disk.
        pass

    def garbage_collect(self, timestamp):
        """Called at the end of each run."""
        nodes = elasticsearch_client(self.rules).nodes.stats(metric="fs")["nodes"].values()
        disks = [(node["fs"]["total"], node["name"]) for node in nodes]
        free, name = min((100 * disk["available_in_bytes"] / disk["total_in_bytes"], name) for disk, name in disks)
        if free < self.rules["least_free"]:
            self.add_match({"@timestamp": timestamp, "node": name, "free_percent": round(free, 1)})
