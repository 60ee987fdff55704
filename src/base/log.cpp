#include "base/log.hpp"

#include "base/files.hpp"
#include "base/text.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <memory>
#include <mutex>

namespace berth::log {

namespace {

spdlog::logger& operational() {
    static const auto logger = [] {
        auto made = std::make_shared<spdlog::logger>(
            "berth", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ level=%l %v", spdlog::pattern_time_type::utc);
        made->flush_on(spdlog::level::info);
        return made;
    }();
    return *logger;
}

// Replaced by a reload while other threads log.
class AuditLogger {
public:
    std::shared_ptr<spdlog::logger> get() {
        const std::lock_guard lock(mutex_);
        return logger_;
    }
    void set(std::shared_ptr<spdlog::logger> logger) {
        const std::lock_guard lock(mutex_);
        logger_ = std::move(logger);
    }

private:
    std::mutex mutex_;
    std::shared_ptr<spdlog::logger> logger_;
};

AuditLogger& audit_logger() {
    static AuditLogger logger;
    return logger;
}

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warning:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

bool needs_quotes(std::string_view value) {
    return value.empty() || value.find_first_of(" =\"\\") != std::string_view::npos;
}

std::string line(std::string_view event, Fields fields) {
    std::string text = "event=";
    text += event;
    for (const auto& field : fields) {
        text += ' ';
        text += field.key;
        text += '=';
        const auto value = printable(field.value, 2000);
        if (!needs_quotes(value)) {
            text += value;
            continue;
        }
        text += '"';
        for (const char c : value) {
            if (c == '"')
                text += '\\';
            text += c;
        }
        text += '"';
    }
    return text;
}

}  // namespace

void set_level(Level level) {
    operational().set_level(to_spdlog(level));
}

Result<void> set_audit_file(const std::string& path) {
    std::shared_ptr<spdlog::logger> made;
    if (!path.empty()) {
        // Who asked for what is nobody else's business; spdlog would make it 0644.
        const int made_here = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
        if (made_here < 0)
            return system_error("the audit log " + path + " cannot be opened", errno);
        ::close(made_here);
        try {
            auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
            made = std::make_shared<spdlog::logger>("audit", std::move(sink));
        } catch (const spdlog::spdlog_ex& failure) {
            return Error{ErrorKind::unavailable,
                         std::string("the audit log cannot be opened: ") + failure.what()};
        }
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %v", spdlog::pattern_time_type::utc);
        made->flush_on(spdlog::level::info);
    }
    audit_logger().set(std::move(made));
    return {};
}

void write(Level level, std::string_view event, Fields fields) {
    auto& logger = operational();
    if (logger.should_log(to_spdlog(level)))
        logger.log(to_spdlog(level), line(event, fields));
}

void audit(std::string_view event, Fields fields) {
    const auto text = line(event, fields);
    if (const auto logger = audit_logger().get())
        logger->info(text);
    else
        operational().info("audit=1 " + text);
}

}  // namespace berth::log
