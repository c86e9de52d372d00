# Decides which lines are records, before any of their content becomes a field: Logstash takes brackets in a key for a
# path to any of its own fields, and a deep document for its own stack.
#
# A record is one JSON object, nested at most 20 deep, without a key that Logstash understands, and of a time within
# eight days of the time at which Docker took the line. Only such a line's name and time are set, in [@metadata][record].

require "json"

def filter(event)
  record = record_of(event.get("[@metadata][line]"), event.get("@timestamp").to_i)
  event.set("[@metadata][record]", record) if record
  [event]
end

# The name and the time of the record that `line` is, or nil.
def record_of(line, arrival)
  return unless line.is_a?(String) && line.start_with?("{")

  record = JSON.parse(line, max_nesting: 20)
  return if %w[@metadata @timestamp @version tags].any? { |key| record.key?(key) }
  return unless plain?(record)

  name, time = record.values_at("name", "time")
  { "name" => name, "time" => time } if name.is_a?(String) && near?(time, arrival)
rescue StandardError
  nil
end

# Whether no key is a path.
def plain?(value)
  case value
  when Hash then value.all? { |key, inner| !key.match?(/[\[\]]/) && plain?(inner) }
  when Array then value.all? { |inner| plain?(inner) }
  else true
  end
end

# Whether `time` exists and is of a day at most eight days from `arrival`, which is in seconds since 1970.
def near?(time, arrival)
  written = /\A(20[0-9]{2})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})([.][0-9]{1,9})?Z\z/.match(time)
  return false unless written

  moment = Time.utc(*written.captures.first(6).map(&:to_i))
  # A 31st of February or a 24th hour becomes another moment.
  moment.strftime("%Y-%m-%dT%H:%M:%S") == time[0, 19] && (moment.to_i / 86_400 - arrival / 86_400).abs <= 8
end
