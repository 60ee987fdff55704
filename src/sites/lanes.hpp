// Turns: at most so many of one kind at a time, the others wait in order.
//
// Threads: the loop's only. Lifetime: outlives all who hold a place or wait for one.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <list>
#include <map>
#include <string>

namespace berth::sites {

class Lanes {
public:
    explicit Lanes(boost::asio::io_context& loop) : loop_(loop) {}

    // Waits for a turn; who gets it gives it back with a Place. When the caller is cancelled it
    // throws operation_aborted and holds nothing.
    boost::asio::awaitable<void> enter(std::string lane, unsigned width);

    // Holds from the next turn that is given back.
    void set_width(const std::string& lane, unsigned width) { lanes_[lane].width = width; }

    class Place {
    public:
        Place(Lanes& lanes, std::string lane) : lanes_(lanes), lane_(std::move(lane)) {}
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        ~Place() { lanes_.leave(lane_); }

    private:
        Lanes& lanes_;
        std::string lane_;
    };

private:
    struct Lane {
        unsigned running = 0, width = 1;
        std::list<boost::asio::steady_timer> waiting = {};
    };

    void leave(const std::string& lane);

    boost::asio::io_context& loop_;
    std::map<std::string, Lane, std::less<>> lanes_;
};

}  // namespace berth::sites
