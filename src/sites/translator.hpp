// A batch system behind commands, as pure functions: an intent becomes an action, the action's
// outcome becomes facts. sites/host.hpp runs the actions for every translator alike.
//
// No I/O, no clock, no state: everything is tested by tables of recorded outputs.
#pragma once

#include "base/result.hpp"
#include "jobs/batch_facts.hpp"

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace berth::sites {

struct Action {
    std::vector<std::string> command;                     // argv; [0] is an absolute path
    std::string input = {};                               // standard input
    std::map<std::string, std::string> environment = {};  // complete; nothing is inherited
    std::chrono::seconds time_limit{30};
    std::string account = {};  // who runs it; "" = the daemon's account
    std::string verb = {};     // "submit", "poll", ...: for metrics and concurrency
    std::string refused = {};  // instead of a command: why the intent has no translation
    // cancel, hold, release: the command itself acts on nothing but the tag. Where it is false the
    // host first asks the queue whether that id (and index) still carries the tag.
    bool checks_tag = false;
};

struct Outcome {
    int exit_code = -1;  // -1: ended by a signal or never started
    bool timed_out = false;
    bool started = true;     // false: the program could not be run (see `error`)
    bool truncated = false;  // more output than the limit; never to be read as complete
    std::string output = {};
    std::string error = {};  // standard error, or why it could not be run
};

class Translator {
public:
    virtual ~Translator() = default;
    virtual std::string_view name() const = 0;

    virtual Action submit(const jobs::SubmitIntent& intent) const = 0;
    virtual jobs::SubmitOutcome read_submit(const Outcome& outcome) const = 0;

    virtual Action poll(const std::vector<std::string>& accounts) const = 0;
    virtual Result<std::vector<jobs::BatchRecord>> read_poll(const Outcome& outcome) const = 0;

    // Two questions: the queue, then history for what the queue does not show. No history action
    // (empty command) where the site has no accounting.
    virtual Action look_up_queue(const std::vector<std::string>& tags) const = 0;
    virtual Result<std::vector<jobs::BatchRecord>> read_look_up_queue(
        const Outcome& outcome) const = 0;
    virtual Action look_up_history(const std::vector<std::string>& tags, WallTime since) const = 0;
    virtual Result<std::vector<jobs::BatchRecord>> read_history(const Outcome& outcome) const = 0;

    virtual Action cancel(const jobs::BatchTarget& target) const = 0;
    virtual Action hold(const jobs::BatchTarget& target) const = 0;
    virtual Action release(const jobs::BatchTarget& target) const = 0;
    // For cancel, hold and release.
    virtual Result<void> read_control(const Outcome& outcome) const = 0;

    // One after the other; read_limits gets the outcomes in the same order.
    virtual std::vector<Action> limits() const = 0;
    virtual Result<jobs::SiteLimits> read_limits(const std::vector<Outcome>& outcomes) const = 0;
};

}  // namespace berth::sites
