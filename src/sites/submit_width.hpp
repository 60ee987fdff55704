// How many submissions may run at one time: as many as the site permits while the batch system
// answers soon, fewer while its answers take long, so that a controller in trouble is not pushed.
//
// Threads: one. Errors: none.
#pragma once

#include <algorithm>
#include <chrono>

namespace berth::sites {

class SubmitWidth {
public:
    explicit SubmitWidth(unsigned most) : most_(std::max(1U, most)), width_(most_) {}

    unsigned now() const { return width_; }

    // After as many answers as the width: half of it if one was slow, one more if all were quick.
    void answered(std::chrono::steady_clock::duration took) {
        slow_ = slow_ || took > slow_answer;
        quick_ = quick_ && took < quick_answer;
        if (++answers_ < width_)
            return;
        if (slow_)
            width_ = std::max(1U, width_ / 2);
        else if (quick_)
            width_ = std::min(most_, width_ + 1);
        answers_ = 0;
        slow_ = false;
        quick_ = true;
    }

private:
    static constexpr std::chrono::milliseconds slow_answer{4000}, quick_answer{2000};

    unsigned most_, width_;
    unsigned answers_ = 0;
    bool slow_ = false, quick_ = true;
};

}  // namespace berth::sites
