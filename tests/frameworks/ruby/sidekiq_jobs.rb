# Sidekiq: a process of its own carries out a job, a scheduled one and one that fails first; queues and statistics follow.
require "sidekiq"
require "sidekiq/api"

URL = "redis://127.0.0.1:#{ENV.fetch("PORT")}/7"
Sidekiq.configure_server do |config|
  config.redis = { url: URL }
  config.options[:poll_interval_average] = 0.2 if config.respond_to?(:options)
end
Sidekiq.configure_client { |config| config.redis = { url: URL } }

class Note
  include Sidekiq::Worker
  sidekiq_options retry: 3
  sidekiq_retry_in { 1 }

  def perform(word, failures)
    tries = Sidekiq.redis { |redis| redis.hincrby("tries", word, 1) }
    raise "not yet" if tries <= failures
    Sidekiq.redis { |redis| redis.rpush("done", word) }
  end
end

if $PROGRAM_NAME == __FILE__
  Note.perform_async("now", 0)
  Note.perform_in(1, "later", 0)
  Note.perform_async("again", 1)
  abort "queue of #{Sidekiq::Queue.new.size}" unless Sidekiq::Queue.new.size == 2
  abort "schedule of #{Sidekiq::ScheduledSet.new.size}" unless Sidekiq::ScheduledSet.new.size == 1
  process = spawn("sidekiq", "-r", File.expand_path(__FILE__), "-c", "2")
  deadline = Time.now + 60
  done = -> { Sidekiq.redis { |redis| redis.lrange("done", 0, -1) }.sort }
  sleep 0.1 until done.call == %w[again later now] || Time.now > deadline
  Process.kill("TERM", process)
  Process.wait(process)
  abort "done: #{done.call}" unless done.call == %w[again later now]
  abort "failed: #{Sidekiq::Stats.new.failed}" unless Sidekiq::Stats.new.failed == 1
  abort "left over" unless Sidekiq::Queue.new.size + Sidekiq::RetrySet.new.size + Sidekiq::ScheduledSet.new.size == 0
end
