// Recorded outputs of batch systems, as outcomes.
#pragma once

#include "base/files.hpp"
#include "sites/translator.hpp"

#include <gtest/gtest.h>

#include <string>

namespace berth::sites {

inline std::string sample(const std::string& name) {
    auto text = read_file(std::string(BERTH_TEST_DATA) + "/data/" + name);
    EXPECT_TRUE(text) << name;
    return text ? *text : "";
}

inline Outcome answer(std::string output, int exit_code = 0, std::string error = "") {
    Outcome outcome;
    outcome.exit_code = exit_code;
    outcome.output = std::move(output);
    outcome.error = std::move(error);
    return outcome;
}

inline Outcome refusal(std::string error, int exit_code = 1) {
    return answer("", exit_code, std::move(error));
}

}  // namespace berth::sites
