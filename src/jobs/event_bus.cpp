#include "jobs/event_bus.hpp"

#include <algorithm>

namespace berth::jobs {

namespace {

constexpr std::size_t kept_max = 20'000;

// Takes a waiter out of the list when its coroutine ends, however it ends.
template <class List>
class Registered {
public:
    Registered(List& list, typename List::iterator entry) : list_(list), entry_(entry) {}
    Registered(const Registered&) = delete;
    Registered& operator=(const Registered&) = delete;
    ~Registered() { list_.erase(entry_); }

private:
    List& list_;
    typename List::iterator entry_;
};

}  // namespace

void EventBus::publish(const std::vector<EventRow>& events) {
    if (events.empty())
        return;
    for (const auto& event : events) {
        kept_.push_back(event);
        last_ = std::max(last_, event.seq);
        if (kept_.size() > kept_max)
            kept_.pop_front();
    }
    for (auto& waiter : waiters_) {
        const auto concerns = [&](const EventRow& event) { return event.job_seq == waiter.job; };
        if (waiter.job == 0 || std::ranges::any_of(events, concerns))
            waiter.wakeup.notify();
    }
}

std::optional<std::vector<EventRow>> EventBus::since(std::int64_t after) const {
    if (after >= last_)
        return std::vector<EventRow>();
    if (kept_.empty() || kept_.front().seq > after + 1)
        return std::nullopt;
    const auto first = std::ranges::upper_bound(kept_, after, {}, &EventRow::seq);
    return std::vector<EventRow>(first, kept_.end());
}

boost::asio::awaitable<void> EventBus::wait(JobSeq job, std::chrono::milliseconds limit) {
    if (closed_)
        co_return;
    const auto entry = waiters_.emplace(waiters_.end(), loop_, job);
    const Registered registered(waiters_, entry);
    co_await entry->wakeup.wait(limit);
}

void EventBus::close() {
    closed_ = true;
    for (auto& waiter : waiters_)
        waiter.wakeup.notify();
}

}  // namespace berth::jobs
