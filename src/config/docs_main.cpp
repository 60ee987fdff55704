// berth-config-docs FOLDER: writes the manual and the example of the configuration into a checkout.
#include "base/files.hpp"
#include "config/config.hpp"

#include <cstdio>

int main(int count, char** arguments) {
    if (count != 2) {
        std::fputs("usage: berth-config-docs FOLDER\n", stderr);
        return 2;
    }
    const std::string folder = arguments[1];
    for (const auto& [name, text] : {std::pair("/docs/configuration.md", berth::config::manual()),
                                     std::pair("/config/berth.toml", berth::config::example())})
        if (const auto written = berth::replace_file(folder + name, text, 0644); !written) {
            std::fprintf(stderr, "%s\n", written.error().message.c_str());
            return 1;
        }
    return 0;
}
