// What a fuzz target states about its input: a statement that does not hold is a finding.
#pragma once

#include <cstdlib>

namespace berth::fuzz {

inline void require(bool holds) {
    if (!holds)
        std::abort();
}

}  // namespace berth::fuzz
