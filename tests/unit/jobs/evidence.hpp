// Evidence for the tests of decide(): a job with one attempt, and words to change it.
#pragma once

#include "jobs/decide.hpp"

#include <chrono>
#include <string>

namespace berth::jobs::test {

using namespace std::chrono_literals;

inline const SteadyTime noon{12h};  // "now" of every case
inline const DecideSettings settings{};

struct Evident : Evidence {
    Evident() {
        status.state = State::queued;
        status.tag = "btag";
        status.attempts = 1;
        attempt = AttemptState::accepted;
        session.fence.kind = Fence::Kind::free;
        now = noon;
        now_wall = from_ms(1'800'000'000'000);
    }

    Evident& fence(Fence::Kind kind) {
        session.fence.kind = kind;
        return *this;
    }
    Evident& taken(SteadyTime seen = noon - 100s, std::string tag = "btag") {
        session.fence = {
            .kind = Fence::Kind::taken, .tag = std::move(tag), .batch_id = "123", .nonce = "n"};
        status.state = State::running;
        fence_seen = seen;
        return *this;
    }
    // The batch system's word; by default an old one.
    Evident& says(BatchState state, SteadyTime asked = noon - 1s, SteadyTime since = noon - 1h) {
        batch.seen = true;
        batch.state = state;
        batch.asked = asked;
        batch.since = since;
        return *this;
    }
    Evident& marker(int code, std::string told = "", SteadyTime seen = noon) {
        session.marker = Marker{.code = code,
                                .told = std::move(told),
                                .started_s = 1'799'999'000,
                                .ended_s = 1'799'999'900,
                                .nonce = "n"};
        marker_seen = seen;
        return *this;
    }
    Evident& cancelled_by(CancelBy who) {
        status.cancel = who;
        return *this;
    }
    Evident& missed(unsigned looks, std::chrono::seconds ago) {
        batch.missing_looks = looks;
        batch.missing_since = noon - ago;
        return *this;
    }
    Evident& attempts(unsigned count) {
        status.attempts = count;
        return *this;
    }
    Verdict verdict() const { return decide(*this, settings); }
};

using Act = Verdict::Act;

}  // namespace berth::jobs::test
