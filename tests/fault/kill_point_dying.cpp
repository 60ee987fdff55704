// kill_point() of berthd-dying: notes each step that is passed, and dies at the ordered one.
//
// BERTH_KILL_FILE names a file that it shares with the test. The first half is the order,
// "!STEP,STEP:N": die at the Nth pass, the first without ":N", of any of these steps. "STEP@WORD"
// means only passes whose `about` has WORD in it. Without the "!" it is no order. The second half
// is the last step that was passed. Without the file nothing happens.
#include "base/kill_point.hpp"
#include "base/text.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string>

namespace berth {

namespace {

constexpr std::size_t half = 1024;

// Threads: all members under the mutex of kill_point().
class Control {
public:
    Control() {
        const char* path = std::getenv("BERTH_KILL_FILE");
        const int file = path == nullptr ? -1 : ::open(path, O_RDWR | O_CLOEXEC);
        if (file < 0)
            return;
        void* page = ::mmap(nullptr, 2 * half, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ::close(file);
        if (page != MAP_FAILED)
            page_ = static_cast<volatile char*>(page);
        if (page_ != nullptr)
            note("");
    }

    void pass(std::string_view step, std::string_view about) {
        if (page_ == nullptr)
            return;
        note(step);
        if (!is_ordered(step, about))
            return;
        const auto line = "kill_point: died at " + std::string(step) + "\n";
        static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()));
        ::kill(::getpid(), SIGKILL);
        ::pause();
    }

private:
    void note(std::string_view step) {
        for (std::size_t i = 0; i < half; ++i)
            page_[half + i] = i < step.size() && i < half - 1 ? step[i] : '\0';
    }

    bool is_ordered(std::string_view step, std::string_view about) {
        if (page_[0] != '!')  // the test writes it last
            return false;
        std::string order;
        for (std::size_t i = 1; i < half && page_[i] != '\0'; ++i)
            order += page_[i];
        if (order != order_)
            passes_ = 0;
        order_ = order;
        const auto colon = std::min(order.find(':'), order.size());
        const unsigned long nth =
            colon < order.size() ? std::strtoul(order.c_str() + colon + 1, nullptr, 10) : 1;
        const auto steps = split(std::string_view(order).substr(0, colon), ',');
        const bool wanted = std::ranges::any_of(steps, [&](std::string_view one) {
            const auto at = std::min(one.find('@'), one.size());
            const auto word = one.substr(std::min(at + 1, one.size()));
            return one.substr(0, at) == step && about.find(word) != about.npos;
        });
        return wanted && ++passes_ == nth;
    }

    volatile char* page_ = nullptr;
    std::string order_;
    unsigned long passes_ = 0;
};

}  // namespace

void kill_point(const char* step, std::string_view about) {
    static std::mutex mutex;
    static Control control;
    const std::lock_guard lock(mutex);
    control.pass(step, about);
}

}  // namespace berth
