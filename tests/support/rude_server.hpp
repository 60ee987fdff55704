// A server on 127.0.0.1 that keeps connections and does to each request what its script says: the
// faults that no real server shows on demand. One connection at a time.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace berth::test {

class RudeServer {
public:
    enum class Act { answer, close, hang };
    struct Step {
        Act act = Act::answer;
        int status = 200;
        std::string body = "{}";
    };
    // Gets the number of the request, from 0, and its text; called on the server's thread.
    using Script = std::function<Step(std::size_t, const std::string&)>;

    explicit RudeServer(Script script) : script_(std::move(script)), thread_([this] { serve(); }) {}
    // The acts in their order, then answers.
    explicit RudeServer(std::vector<Act> acts, std::string body = "{}")
        : RudeServer([acts = std::move(acts), body = std::move(body)](std::size_t number,
                                                                      const std::string&) {
              return Step{number < acts.size() ? acts[number] : Act::answer, 200, body};
          }) {}
    ~RudeServer() {
        stopping_ = true;
        boost::asio::io_context loop(1);
        boost::asio::ip::tcp::socket waker(loop);  // ends the accept that waits
        boost::system::error_code ignored;
        waker.connect(acceptor_.local_endpoint(), ignored);
        waker.close(ignored);
        thread_.join();
    }
    RudeServer(const RudeServer&) = delete;
    RudeServer& operator=(const RudeServer&) = delete;

    std::string url() const {
        return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }
    std::size_t requests() const { return requests_; }
    std::size_t connections() const { return connections_; }

private:
    using Socket = boost::asio::ip::tcp::socket;

    void serve() {
        std::vector<std::unique_ptr<Socket>> hanging;
        while (true) {
            auto socket = std::make_unique<Socket>(loop_);
            boost::system::error_code failed;
            acceptor_.accept(*socket, failed);
            if (failed || stopping_)
                return;
            ++connections_;
            if (!talk(*socket))
                hanging.push_back(std::move(socket));
        }
    }

    // False when the connection stays open without an answer.
    bool talk(Socket& socket) {
        std::string text;
        boost::system::error_code failed;
        while (true) {
            const auto head = boost::asio::read_until(socket, boost::asio::dynamic_buffer(text),
                                                      "\r\n\r\n", failed);
            if (failed)
                return true;
            const auto step = script_(requests_++, text.substr(0, head));
            text.clear();  // bodies of these tests come with their heads
            if (step.act != Act::answer)
                return step.act == Act::close;
            const auto answer = "HTTP/1.1 " + std::to_string(step.status) +
                                " X\r\nContent-Length: " + std::to_string(step.body.size()) +
                                "\r\n\r\n" + step.body;
            boost::asio::write(socket, boost::asio::buffer(answer), failed);
        }
    }

    Script script_;
    boost::asio::io_context loop_{1};
    boost::asio::ip::tcp::acceptor acceptor_{loop_,
                                             {boost::asio::ip::make_address("127.0.0.1"), 0}};
    std::atomic<bool> stopping_ = false;
    std::atomic<std::size_t> requests_ = 0;
    std::atomic<std::size_t> connections_ = 0;
    std::thread thread_;
};

}  // namespace berth::test
