// Servers that do what the test says, in the terms of cache::Upstream.
#pragma once

#include "base/tasks.hpp"
#include "cache/upstream.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace berth::test {

struct ScriptedAnswer {
    int status = 200;
    std::string body = {};
    std::chrono::milliseconds head_after{0};
    std::size_t piece_bytes = 64U << 10U;
    std::chrono::milliseconds between{0};  // pieces
    std::size_t break_at = SIZE_MAX;       // bytes of the body, then the connection breaks
    std::size_t stall_at = SIZE_MAX;       // then nothing more comes
    bool ranges = true;
    bool refuses = false;  // no connection
    http::Headers headers = {};
};

class ScriptedUpstream final : public cache::Upstream {
public:
    struct Asked {
        std::string host, target, range;
    };
    std::function<ScriptedAnswer(const cache::UpstreamCall&)> answer;
    std::vector<Asked> asked;

    Async<std::unique_ptr<cache::UpstreamAnswer>> open(cache::UpstreamCall call) override {
        asked.push_back({call.origin.host, call.target, std::string(call.headers.get("Range"))});
        auto script = answer(call);
        if (script.head_after > call.head_timeout) {
            co_await sleep_for(call.head_timeout);
            co_return Error{ErrorKind::timed_out, "no head"};
        }
        co_await sleep_for(script.head_after);
        if (script.refuses)
            co_return Error{ErrorKind::unavailable, "refused"};
        co_return std::make_unique<Answer>(std::move(script), asked.back().range);
    }

private:
    class Answer final : public cache::UpstreamAnswer {
    public:
        Answer(ScriptedAnswer script, const std::string& range) : script_(std::move(script)) {
            head_.status = script_.status;
            head_.headers = script_.headers;
            if (script_.status == 200 && script_.ranges && range.starts_with("bytes=")) {
                at_ = std::stoul(range.substr(6));
                head_.status = 206;
                head_.headers.set("Content-Range", "bytes " + std::to_string(at_) + "-" +
                                                       std::to_string(script_.body.size() - 1) +
                                                       "/" + std::to_string(script_.body.size()));
            }
            head_.length = script_.body.size() - at_;
        }
        const http::ResponseHead& head() const override { return head_; }
        Async<std::string> read(std::chrono::milliseconds limit) override {
            if (at_ >= script_.stall_at) {
                co_await sleep_for(limit);
                co_return Error{ErrorKind::timed_out, "stalled"};
            }
            co_await sleep_for(script_.between);
            if (at_ >= script_.break_at)
                co_return Error{ErrorKind::unavailable, "broken off"};
            const auto end = std::min({script_.body.size(), script_.break_at, script_.stall_at});
            const auto piece = script_.body.substr(at_, std::min(script_.piece_bytes, end - at_));
            at_ += piece.size();
            co_return piece;
        }

    private:
        ScriptedAnswer script_;
        http::ResponseHead head_;
        std::size_t at_ = 0;
    };
};

}  // namespace berth::test
