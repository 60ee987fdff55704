// Bytes that were received and not yet used.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace berth::net {

class InputBuffer {
public:
    std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
    std::size_t size() const { return end_ - begin_; }
    bool empty() const { return begin_ == end_; }

    void consume(std::size_t count) {
        begin_ += count;
        if (begin_ == end_)
            begin_ = end_ = 0;
    }

    // `wanted` bytes of free space behind the content. The caller bounds what it asks for.
    std::span<char> room(std::size_t wanted) {
        if (capacity_ - end_ < wanted)
            make_room(wanted);
        return {bytes_.get() + end_, wanted};
    }
    void added(std::size_t count) { end_ += count; }

    // Gives memory back that a large head or body needed.
    void shrink() {
        if (!empty() || capacity_ <= kept_bytes)
            return;
        bytes_.reset();
        capacity_ = 0;
    }

private:
    static constexpr std::size_t kept_bytes = 8192;

    void make_room(std::size_t wanted) {
        const auto size = this->size();
        if (capacity_ < size + wanted) {
            const auto capacity = std::max(size + wanted, 2 * capacity_);
            std::unique_ptr<char[]> larger(new char[capacity]);
            if (size > 0)
                std::memcpy(larger.get(), bytes_.get() + begin_, size);
            bytes_ = std::move(larger);
            capacity_ = capacity;
        } else {
            std::memmove(bytes_.get(), bytes_.get() + begin_, size);
        }
        begin_ = 0;
        end_ = size;
    }

    std::unique_ptr<char[]> bytes_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace berth::net
