// What the tests of the configuration share.
#pragma once

#include "config/config.hpp"

#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace berth::config {

// A folder with the files that a gateway needs, and the text of a configuration that is right.
class ConfigTest : public testing::Test {
protected:
    static constexpr std::string_view right = R"([api]
certificate = "tls.crt"
key = "tls.key"
audience = ["https://ce.example.org:8443"]
[jobs]
session_root = "/scratch/berth"
[[issuer]]
name = "cms"
url = "https://cms.example.org/"
[[mapping]]
issuer = "cms"
account = "grid1"
)";

    ConfigTest() {
        folder.write("tls.crt", "a certificate");
        folder.write("tls.key", "a key");
    }

    Loaded load(std::string_view text) const { return parse(text, "berth.toml", folder.path()); }
    // Without the gateway nothing is required, so that a test sees its own problem only.
    Loaded load_plain(std::string_view text) const {
        return load("roles.gateway = false\n" + std::string(text));
    }

    // "LINE:COLUMN KEY: MESSAGE" for each problem, with the folder's name as "FOLDER".
    std::string show(const Loaded& loaded) const {
        std::string all;
        for (const auto& problem : loaded.problems) {
            auto message = problem.message;
            for (std::size_t at; (at = message.find(folder.path())) != std::string::npos;)
                message.replace(at, folder.path().size(), "FOLDER");
            all += std::to_string(problem.line) + ":" + std::to_string(problem.column) + " " +
                   problem.key + ": " + message + "\n";
        }
        return all;
    }

    test::TemporaryFolder folder;
};

}  // namespace berth::config
