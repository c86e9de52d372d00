# Asks the gate in the file ARGV[0] about each line of standard input, and prints what it decided, as JSON.

require "json"

# What the gate uses of Logstash's event.
class Event
  attr_reader :record

  def initialize(line, arrival)
    @fields = { "[@metadata][line]" => line, "@timestamp" => Time.at(arrival) }
  end

  def get(name) = @fields.fetch(name)

  def set(name, value)
    raise name unless name == "[@metadata][record]"

    @record = value
  end
end

# As Logstash's filter does it.
gate = Object.new
gate.instance_eval(File.read(ARGV[0]), ARGV[0])
$stdin.each_line do |input|
  question = JSON.parse(input)
  event = Event.new(question["line"], question["arrival"])
  raise "not one event" unless gate.filter(event) == [event]

  puts JSON.generate(event.record)
end
