#include "api/events_api.hpp"

#include "api/job_json.hpp"
#include "api/query.hpp"
#include "base/text.hpp"
#include "http/problem.hpp"
#include "http/sse.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <numeric>

namespace berth::api {

namespace asio = boost::asio;

namespace {

constexpr std::size_t batch_max = 500;  // events in one piece
constexpr auto keep_alive = std::chrono::seconds(15);

bool concerns(const jobs::Owner& owner, const jobs::EventRow& event) {
    if (event.issuer == owner.issuer && event.subject == owner.subject)
        return true;
    return owner.account_wide && event.account == owner.account;
}

// One client's stream. It ends with its token, when the client leaves, and at drain.
class EventStream final : public http::Stream {
public:
    using Counts = std::shared_ptr<std::map<std::string, unsigned>>;

    EventStream(jobs::Service& service, Clock& clock, Caller caller, std::int64_t after,
                Counts counts, std::string who)
        : service_(service),
          clock_(clock),
          caller_(std::move(caller)),
          after_(after),
          counts_(std::move(counts)),
          who_(std::move(who)) {
        ++(*counts_)[who_];
    }
    EventStream(const EventStream&) = delete;
    EventStream& operator=(const EventStream&) = delete;
    ~EventStream() override {
        if (--(*counts_)[who_] == 0)
            counts_->erase(who_);
    }

    bool endless() const override { return true; }
    asio::awaitable<std::string> next() override {
        if (!begun_) {
            begun_ = true;
            co_return http::sse_comment("berth");
        }
        for (;;) {
            const auto left = caller_.identity.expires - clock_.wall();
            if (left.count() <= 0 || service_.bus().closed())
                co_return std::string();
            auto text = co_await pending();
            if (!text.empty())
                co_return text;
            const auto pause = std::min<std::chrono::milliseconds>(left, keep_alive);
            const auto before = service_.bus().last();
            if (before > after_)
                continue;
            co_await service_.bus().wait(0, pause);
            if (service_.bus().last() == before && !service_.bus().closed())
                co_return http::sse_comment();
        }
    }

private:
    // The events after `after_` as text; moves `after_` on.
    asio::awaitable<std::string> pending() {
        auto events = service_.bus().since(after_);
        if (!events) {
            jobs::JobFilter who{.issuer = caller_.owner.issuer, .subject = caller_.owner.subject};
            if (caller_.owner.account_wide)
                who.account = caller_.owner.account;
            const auto last = service_.bus().last();
            auto stored = co_await service_.store().events(std::move(who), after_, batch_max);
            if (!stored)
                co_return std::string();
            if (stored->size() < batch_max)
                after_ = std::max(after_, last);
            events = std::move(*stored);
        }
        std::string text;
        for (const auto& event : *events) {
            after_ = std::max(after_, event.seq);
            if (concerns(caller_.owner, event))
                text += http::format({.id = std::to_string(event.seq),
                                      .event = "job",
                                      .data = event_json(event).dump()});
        }
        co_return text;
    }

    jobs::Service& service_;
    Clock& clock_;
    Caller caller_;
    std::int64_t after_;
    Counts counts_;
    std::string who_;
    bool begun_ = false;
};

}  // namespace

asio::awaitable<http::Response> EventsApi::follow(Call& call) {
    const auto query = read_query(call.request.head.query, {});
    if (!query)
        co_return http::problem(query.error());
    auto after = service_.bus().last();
    const auto& headers = call.request.head.headers;
    if (headers.contains("Last-Event-ID")) {
        const auto given = to_number<std::int64_t>(headers.get("Last-Event-ID"));
        if (!given || *given < 0)
            co_return http::problem(Error{
                ErrorKind::invalid, "must be the id of an event of this stream", "Last-Event-ID"});
        after = std::min(*given, after);
    }
    const auto who = call.caller.owner.issuer + "\n" + call.caller.owner.subject;
    const auto add = [](unsigned sum, const auto& entry) { return sum + entry.second; };
    const auto all = std::accumulate(open_->begin(), open_->end(), 0U, add);
    const auto own = open_->contains(who) ? open_->at(who) : 0U;
    if (own >= settings_->event_streams_per_client_max || all >= settings_->event_streams_max)
        co_return http::problem(
            Error{ErrorKind::too_many, "too many event streams are open; close some"});
    http::Response response;
    response.headers.set("Content-Type", "text/event-stream");
    response.headers.set("Cache-Control", "no-store");
    response.body = std::shared_ptr<http::Stream>(
        std::make_shared<EventStream>(service_, clock_, call.caller, after, open_, who));
    co_return response;
}

}  // namespace berth::api
