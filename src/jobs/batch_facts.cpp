#include "jobs/batch_facts.hpp"

namespace berth::jobs {

std::string_view to_string(BatchState state) {
    switch (state) {
        case BatchState::queued:
            return "queued";
        case BatchState::held:
            return "held";
        case BatchState::running:
            return "running";
        case BatchState::suspended:
            return "suspended";
        case BatchState::finishing:
            return "finishing";
        case BatchState::done:
            return "done";
        case BatchState::failed:
            return "failed";
        case BatchState::walltime:
            return "walltime";
        case BatchState::memory:
            return "memory";
        case BatchState::node_lost:
            return "node_lost";
        case BatchState::preempted:
            return "preempted";
        case BatchState::cancelled:
            return "cancelled";
        case BatchState::requeue_held:
            return "requeue_held";
    }
    return "queued";  // not reached; the switch names every state
}

}  // namespace berth::jobs
