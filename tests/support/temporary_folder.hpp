// A folder for one test, removed with all that is in it.
#pragma once

#include "base/files.hpp"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace berth::test {

class TemporaryFolder {
public:
    TemporaryFolder() {
        path_ = (std::filesystem::temp_directory_path() / "berth-test-XXXXXX").string();
        if (::mkdtemp(path_.data()) == nullptr)
            throw std::runtime_error("no temporary folder: " + path_);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

    std::string write(const std::string& name, const std::string& content) const {
        const auto file = *this / name;
        if (const auto written = replace_file(file, content); !written)
            throw std::runtime_error(written.error().message);
        return file;
    }

private:
    std::string path_;
};

}  // namespace berth::test
