#include "base/strict_json.hpp"

#include "base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace berth {

namespace {

using nlohmann::json;

Error refusal(std::string what, std::string field = {}) {
    return Error{ErrorKind::invalid, "the JSON text is refused: " + std::move(what),
                 std::move(field)};
}

// "line 1, column 5" of a byte offset.
std::string place(std::string_view text, std::size_t offset) {
    const auto before = text.substr(0, std::min(offset, text.size()));
    const auto line = 1 + std::ranges::count(before, '\n');
    const auto newline = before.rfind('\n');
    const auto column =
        newline == std::string_view::npos ? before.size() : before.size() - newline - 1;
    return "line " + std::to_string(line) + ", column " +
           std::to_string(std::max<std::size_t>(column, 1));
}

// Builds the value from the parser's events. The parser itself does not recurse.
class Builder final : public nlohmann::json_sax<json> {
public:
    Builder(std::string_view text, std::size_t depth_max) : text_(text), depth_max_(depth_max) {}

    bool null() override { return add(nullptr) != nullptr; }
    bool boolean(bool value) override { return add(value) != nullptr; }
    bool number_integer(std::int64_t value) override { return add(value) != nullptr; }
    bool number_unsigned(std::uint64_t value) override { return add(value) != nullptr; }
    bool number_float(double value, const std::string& digits) override {
        // The parser turns an integer that fits no 64-bit type into an inexact double.
        if (digits.find_first_of(".eE") == std::string::npos)
            return out_of_range();
        return add(value) != nullptr;
    }
    bool string(std::string& value) override { return add(std::move(value)) != nullptr; }
    bool binary(json::binary_t&) override { return fail("binary data"); }

    bool start_object(std::size_t) override { return open(json::object()); }
    bool start_array(std::size_t) override { return open(json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(std::string& name) override {
        auto& frame = open_.back();
        const auto [at, fresh] = frame.container->emplace(name, nullptr);
        frame.slot = &*at;
        frame.name = std::move(name);
        if (!fresh)
            return fail("the member \"" + printable(frame.name, 60) + "\" occurs twice");
        return true;
    }

    bool parse_error(std::size_t position, const std::string&,
                     const nlohmann::detail::exception&) override {
        // The parser's own words quote the input, which may hold a secret.
        error_ = refusal("it is not well-formed at " + place(text_, position));
        return false;
    }

    json take() { return std::move(root_); }
    const Error& error() const { return error_; }

private:
    struct Frame {
        json* container;
        json* slot = nullptr;   // of an object: where the next value goes
        std::string name = {};  // of that slot
    };

    bool fail(const std::string& what) {
        error_ =
            refusal(what + " in " + (open_.size() < 2 ? "the top level" : pointer()), pointer());
        return false;
    }

    // Well-formed JSON with a number that no reader here can hold: the value is at fault.
    bool out_of_range() {
        fail("an integer is out of range");
        error_.kind = ErrorKind::unprocessable;
        return false;
    }

    // Never null.
    template <class Value>
    json* add(Value value) {
        if (open_.empty()) {
            root_ = std::move(value);
            return &root_;
        }
        auto& frame = open_.back();
        if (frame.container->is_object()) {
            *frame.slot = std::move(value);
            return frame.slot;
        }
        frame.container->push_back(json(std::move(value)));
        return &frame.container->back();
    }

    bool open(json empty) {
        if (open_.size() >= depth_max_)
            return fail("it is nested deeper than " + std::to_string(depth_max_) + " levels");
        // A pointer to an element stays valid: nothing is added to its parent while it is open.
        json* const container = add(std::move(empty));
        open_.push_back(Frame{container});
        return true;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    // RFC 6901 of the place where the builder is.
    std::string pointer() const {
        std::string text;
        for (const auto& frame : open_) {
            text += '/';
            if (frame.container->is_array()) {
                text += std::to_string(frame.container->empty() ? 0 : frame.container->size() - 1);
                continue;
            }
            for (const char c : printable(frame.name, 60)) {
                if (c == '~')
                    text += "~0";
                else if (c == '/')
                    text += "~1";
                else
                    text += c;
            }
        }
        return text;
    }

    std::string_view text_;
    std::size_t depth_max_;
    json root_;
    std::vector<Frame> open_;
    Error error_;
};

}  // namespace

Result<json> parse_strict_json(std::string_view text, std::size_t depth_max) {
    if (text.starts_with("\xEF\xBB\xBF"))
        return refusal("it begins with a byte order mark");
    // nlohmann-json 3.11 takes a NUL byte for the end of the input and ignores what follows.
    const auto control = std::ranges::find_if(text, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t';
    });
    if (control != text.end())
        return refusal("a control byte at " +
                       place(text, static_cast<std::size_t>(control - text.begin()) + 1));
    Builder builder(text, depth_max);
    if (!json::sax_parse(text.begin(), text.end(), &builder))
        return builder.error();
    return builder.take();
}

}  // namespace berth
