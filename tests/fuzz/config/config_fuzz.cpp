// The configuration parser with any bytes: it must end, and what it reports must be usable.
#include "base/text.hpp"
#include "config/config.hpp"
#include "fuzz/require.hpp"

#include <cstddef>
#include <cstdint>

using berth::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto loaded = berth::config::parse(text, "fuzz.toml", "");
    unsigned line = 1;
    for (const auto& problem : loaded.problems) {
        require(problem.line >= line);  // in the order of the file
        line = problem.line;
        require(problem.column >= 1);
        require(!problem.message.empty());
        const auto shown = to_string(problem);
        require(berth::printable(shown, shown.size()) == shown);  // safe on a terminal
    }
    // What was accepted holds to the rules that everything else relies on.
    if (loaded.problems.empty()) {
        for (const auto& mapping : loaded.config.mappings)
            require(!mapping.account.empty() && mapping.account != "root");
        require(loaded.config.node.listen.empty() || !loaded.config.node.networks.empty());
        require(loaded.config.jobs.submit_width >= 1 && loaded.config.jobs.submit_width <= 64);
    }
    return 0;
}
