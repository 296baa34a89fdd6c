// culver-auth-load: makes the load on the auth socket that bench/run.py measures.
//
//   culver-auth-load plain SOCKET COUNT CONNECTIONS IN_FLIGHT USER PASSWORD   AUTH PLAIN, all of it right
//   culver-auth-load between SOCKET SECONDS USER PASSWORD SLOW-USER SLOW-PASSWORD IN_FLIGHT
//                          a login of USER every 5 ms while IN_FLIGHT logins of SLOW-USER are kept under way
//   culver-auth-load crypt SECONDS THREADS HASH PASSWORD                      crypt(3) alone, without any server
//
// %d in USER becomes a number below 1,000,000, another one each time. The last line is "seconds operations"; `between`
// prints "median 99th-percentile" in milliseconds.

#include <crypt.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "lib-base/text.h"

namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "culver-auth-load: %s\n", what.c_str());
    std::exit(1);
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// One connection to the auth socket; requests may overlap.
class AuthConnection {
public:
    explicit AuthConnection(const std::string& path) {
        fd_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("connect " + path);
        static std::atomic<int> number{0};
        send("VERSION\t1\t2\nCPID\t" + std::to_string(::getpid() * 16 + ++number) + "\n");
        while (line() != "DONE") continue;
    }
    ~AuthConnection() { ::close(fd_); }
    AuthConnection(const AuthConnection&) = delete;
    AuthConnection& operator=(const AuthConnection&) = delete;

    void send(const std::string& bytes) {
        for (std::size_t done = 0; done < bytes.size();) {
            auto n = ::write(fd_, bytes.data() + done, bytes.size() - done);
            if (n <= 0) die("write");
            done += static_cast<std::size_t>(n);
        }
    }
    // The next line; waits for it.
    std::string line() {
        while (!has_line()) read();
        std::string out = buffer_.substr(scan_, buffer_.find('\n', scan_) - scan_);
        scan_ += out.size() + 1;
        return out;
    }
    bool has_line() const { return buffer_.find('\n', scan_) != std::string::npos; }
    void read() {
        buffer_.erase(0, scan_);
        scan_ = 0;
        char data[65536];
        auto n = ::read(fd_, data, sizeof data);
        if (n <= 0) die("the server closed the connection");
        buffer_.append(data, static_cast<std::size_t>(n));
    }
    int fd() const { return fd_; }

private:
    int fd_ = -1;
    std::string buffer_;
    std::size_t scan_ = 0;
};

class Requests {
public:
    Requests(std::string user, std::string password) : user_(std::move(user)), password_(std::move(password)) {
        place_ = user_.find("%d");
        if (place_ == std::string::npos) resp_ = encode(user_);
    }
    std::string next(std::uint32_t id) {
        number_ = (number_ * 1664525 + 1013904223) % 4294967296u;
        std::string resp = resp_;
        if (resp.empty()) {
            std::string user = user_;
            resp = encode(user.replace(place_, 2, std::to_string(number_ % 1000000)));
        }
        return "AUTH\t" + std::to_string(id) +
               "\tPLAIN\tservice=imap\tsecured\tlip=127.0.0.1\trip=127.0.0.1\tlport=143\t"
               "rport=40000\tresp=" +
               resp + "\n";
    }

private:
    std::string encode(const std::string& user) const {
        return culver::base64_encode(std::string(1, '\0') + user + std::string(1, '\0') + password_);
    }
    std::string user_, password_, resp_;
    std::size_t place_ = 0;
    std::uint64_t number_ = 1;
};

void expect_ok(const std::string& line) {
    if (!line.starts_with("OK\t")) die("refused: " + line);
}

int run_plain(int argc, char** argv) {
    if (argc < 8) die("plain SOCKET COUNT CONNECTIONS IN_FLIGHT USER PASSWORD");
    std::string path = argv[2];
    long count = std::atol(argv[3]);
    int connections = std::atoi(argv[4]);
    long in_flight = std::atol(argv[5]);
    auto start = Clock::now();
    std::vector<std::thread> threads;
    for (int thread = 0; thread < connections; ++thread) {
        threads.emplace_back([&] {
            AuthConnection connection(path);
            Requests requests(argv[6], argv[7]);
            long mine = count / connections, sent = 0, done = 0;
            std::uint32_t id = 0;
            while (done < mine) {
                std::string batch;
                for (; sent < mine && sent - done < in_flight; ++sent) batch += requests.next(++id);
                if (!batch.empty()) connection.send(batch);
                do {
                    expect_ok(connection.line());
                    ++done;
                } while (connection.has_line());
            }
        });
    }
    for (auto& thread : threads) thread.join();
    std::printf("%.6f %ld\n", seconds_since(start), count / connections * connections);
    return 0;
}

int run_between(int argc, char** argv) {
    if (argc < 9) die("between SOCKET SECONDS USER PASSWORD SLOW-USER SLOW-PASSWORD IN_FLIGHT");
    std::string path = argv[2];
    auto end = Clock::now() + std::chrono::seconds(std::atoi(argv[3]));
    std::atomic<long> slow_done{0};
    std::thread slow([&] {
        AuthConnection connection(path);
        Requests requests(argv[6], argv[7]);
        std::uint32_t id = 0;
        for (int i = std::atoi(argv[8]); i > 0; --i) connection.send(requests.next(++id));
        while (Clock::now() < end) {
            expect_ok(connection.line());
            ++slow_done;
            connection.send(requests.next(++id));
        }
    });
    std::vector<double> times;
    {
        AuthConnection connection(path);
        Requests requests(argv[4], argv[5]);
        std::uint32_t id = 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(200));
        while (Clock::now() < end) {
            auto begun = Clock::now();
            connection.send(requests.next(++id));
            expect_ok(connection.line());
            times.push_back(seconds_since(begun) * 1000);
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }
    slow.join();
    std::sort(times.begin(), times.end());
    if (times.empty() || slow_done == 0) die("nothing was measured");
    std::printf("%.4f %.4f\n", times[times.size() / 2], times[times.size() * 99 / 100]);
    return 0;
}

int run_crypt(int argc, char** argv) {
    if (argc < 6) die("crypt SECONDS THREADS HASH PASSWORD");
    auto start = Clock::now(), end = start + std::chrono::seconds(std::atoi(argv[2]));
    std::atomic<long> done{0};
    std::vector<std::thread> threads;
    for (int i = std::atoi(argv[3]); i > 0; --i) {
        threads.emplace_back([&] {
            auto data = std::make_unique<crypt_data>();
            while (Clock::now() < end) {
                const char* hash = ::crypt_r(argv[5], argv[4], data.get());
                if (!hash || std::strcmp(hash, argv[4]) != 0) die("the hash is of another password");
                ++done;
            }
        });
    }
    for (auto& thread : threads) thread.join();
    std::printf("%.6f %ld\n", seconds_since(start), done.load());
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::string what = argc > 1 ? argv[1] : "";
    if (what == "plain") return run_plain(argc, argv);
    if (what == "between") return run_between(argc, argv);
    if (what == "crypt") return run_crypt(argc, argv);
    die("plain, between or crypt; see bench/auth-load.cpp");
}
