#include "base/clock.hpp"

#include "base/text.hpp"

#include <cstdio>
#include <ctime>

namespace berth {

WallTime SystemClock::wall() const {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
}

SteadyTime SystemClock::steady() const {
    return std::chrono::steady_clock::now();
}

std::string to_rfc3339(WallTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss<std::chrono::milliseconds> clock(time - day);
    char text[64];
    const int length = std::snprintf(
        text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
    return std::string(text, static_cast<std::size_t>(length));
}

std::optional<WallTime> from_rfc3339(std::string_view text) {
    if (text.size() < 20 || text.back() != 'Z' || text[4] != '-' || text[7] != '-' ||
        (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':')
        return std::nullopt;
    const auto field = [&](std::size_t at, std::size_t length) {
        return to_number<unsigned>(text.substr(at, length));
    };
    const auto year = field(0, 4), month = field(5, 2), day = field(8, 2), hour = field(11, 2),
               minute = field(14, 2), second = field(17, 2);
    if (!year || !month || !day || !hour || !minute || !second)
        return std::nullopt;
    std::chrono::milliseconds fraction(0);
    if (text[19] == '.') {
        const auto digits = text.substr(20, text.size() - 21);
        if (digits.empty() || digits.size() > 9 ||
            digits.find_first_not_of("0123456789") != std::string_view::npos)
            return std::nullopt;
        const std::string three = (std::string(digits) + "00").substr(0, 3);
        fraction = std::chrono::milliseconds(to_number<unsigned>(three).value_or(0));
    } else if (text.size() != 20) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                           std::chrono::month(*month), std::chrono::day(*day)};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
           std::chrono::minutes(*minute) + std::chrono::seconds(*second) + fraction;
}

}  // namespace berth
