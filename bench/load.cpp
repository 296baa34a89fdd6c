// culver-load: makes the load that bench/run.py measures; blocking connections, one thread each, bounded counts.
//
//   culver-load login PORT COUNT THREADS USER PASSWORD [tls]   connect, LOGIN, LOGOUT
//   culver-load lmtp SOCKET COUNT THREADS RECIPIENT SIZE       deliveries over kept connections; RECIPIENT may hold %d
//   culver-load imap PORT COUNT USER PASSWORD MAILBOX COMMAND  one command again and again; %d becomes 1, 2, 3 ... ;
//                                                              %b becomes a 4 kB literal
//   culver-load idle PORT COUNT USER PASSWORD SECONDS [tls]    holds COUNT sessions in SELECT, says "ready", waits
//
// Prints "seconds operations" on its last line.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "culver-load: %s\n", what.c_str());
    std::exit(1);
}

SSL_CTX* tls_context() {
    static SSL_CTX* context = [] {
        SSL_CTX* made = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_verify(made, SSL_VERIFY_NONE, nullptr);
        SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
        return made;
    }();
    return context;
}

class Connection {
public:
    Connection(const std::string& where, bool tls) {
        if (where.find('/') != std::string::npos) {
            fd_ = ::socket(AF_UNIX, SOCK_STREAM, 0);
            sockaddr_un address{};
            address.sun_family = AF_UNIX;
            std::strncpy(address.sun_path, where.c_str(), sizeof address.sun_path - 1);
            if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die("connect " + where);
        } else {
            fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_port = htons(static_cast<uint16_t>(std::atoi(where.c_str())));
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            int one = 1;
            ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
                die("connect port " + where);
        }
        if (tls) {
            ssl_ = SSL_new(tls_context());
            SSL_set_fd(ssl_, fd_);
            if (SSL_connect(ssl_) != 1) die("TLS handshake");
        }
    }
    ~Connection() {
        if (ssl_) SSL_free(ssl_);
        if (fd_ >= 0) ::close(fd_);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void send(const std::string& bytes) {
        std::size_t done = 0;
        while (done < bytes.size()) {
            auto n = ssl_ ? SSL_write(ssl_, bytes.data() + done, static_cast<int>(bytes.size() - done))
                          : ::write(fd_, bytes.data() + done, bytes.size() - done);
            if (n <= 0) die("write");
            done += static_cast<std::size_t>(n);
        }
    }
    // Reads until a line that begins with `start`; gives that line.
    std::string read_until(const std::string& start) {
        for (;;) {
            auto end = buffer_.find('\n', scan_);
            while (end == std::string::npos) {
                buffer_.erase(0, scan_);
                scan_ = 0;
                char data[65536];
                auto n = ssl_ ? SSL_read(ssl_, data, sizeof data) : ::read(fd_, data, sizeof data);
                if (n <= 0)
                    die("the server closed the connection while waiting for \"" + start + "\"; rest: " + buffer_);
                auto from = buffer_.size();
                buffer_.append(data, static_cast<std::size_t>(n));
                end = buffer_.find('\n', from);
            }
            std::string_view line(buffer_.data() + scan_, end - scan_);
            scan_ = end + 1;
            if (line.starts_with(start)) return std::string(line);
        }
    }

private:
    int fd_ = -1;
    SSL* ssl_ = nullptr;
    std::string buffer_;
    std::size_t scan_ = 0;
};

void expect_ok(const std::string& line, const char* what) {
    if (line.find(" OK") == std::string::npos) die(std::string(what) + ": " + line);
}

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
    return text;
}

std::string message(std::size_t size, int number) {
    std::string text = "From: Load <load@example.org>\r\nTo: Somebody <a@example.test>\r\nSubject: load number " +
                       std::to_string(number) + "\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <load." +
                       std::to_string(number) +
                       "@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n";
    while (text.size() < size) text += "The quick brown fox jumps over the lazy dog, again and again and again.\r\n";
    return text;
}

// Runs `work(thread)` on so many threads and prints the time and the operations.
template <typename Work>
void measure(int threads, long operations, Work work) {
    auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> pool;
    for (int thread = 0; thread < threads; ++thread) pool.emplace_back(work, thread);
    for (auto& thread : pool) thread.join();
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("%.6f %ld\n", seconds.count(), operations);
}

std::unique_ptr<Connection> log_in(const std::string& where, bool tls, const std::string& user,
                                   const std::string& password) {
    auto connection = std::make_unique<Connection>(where, tls);
    connection->read_until("* OK");
    connection->send("a LOGIN " + user + " " + password + "\r\n");
    expect_ok(connection->read_until("a "), "LOGIN");
    return connection;
}

int run_login(int argc, char** argv) {
    if (argc < 7) die("login PORT COUNT THREADS USER PASSWORD [tls]");
    std::string where = argv[2], user = argv[5], password = argv[6];
    long count = std::atol(argv[3]);
    int threads = std::atoi(argv[4]);
    bool tls = argc > 7;
    std::atomic<long> left{count};
    measure(threads, count, [&](int) {
        while (left-- > 0) {
            auto connection = log_in(where, tls, user, password);
            connection->send("b LOGOUT\r\n");
            connection->read_until("b ");
        }
    });
    return 0;
}

int run_lmtp(int argc, char** argv) {
    if (argc < 7) die("lmtp SOCKET COUNT THREADS RECIPIENT SIZE");
    std::string where = argv[2], recipient = argv[5];
    long count = std::atol(argv[3]);
    int threads = std::atoi(argv[4]);
    std::size_t size = static_cast<std::size_t>(std::atol(argv[6]));
    std::atomic<long> next{0};
    measure(threads, count, [&](int thread) {
        Connection connection(where, false);
        connection.read_until("220");
        connection.send("LHLO load\r\n");
        connection.read_until("250 ");
        std::string to = replace_all(recipient, "%d", std::to_string(thread));
        for (long number = next++; number < count; number = next++) {
            connection.send("MAIL FROM:<load@example.org>\r\nRCPT TO:<" + to + ">\r\nDATA\r\n");
            connection.read_until("354");
            connection.send(message(size, static_cast<int>(number)) + ".\r\n");
            std::string reply = connection.read_until("");
            if (!reply.starts_with("250")) die("delivery: " + reply);
        }
        connection.send("QUIT\r\n");
    });
    return 0;
}

int run_imap(int argc, char** argv) {
    if (argc < 8) die("imap PORT COUNT USER PASSWORD MAILBOX COMMAND");
    std::string where = argv[2], command = argv[7];
    long count = std::atol(argv[3]);
    auto connection = log_in(where, false, argv[4], argv[5]);
    if (*argv[6]) {
        connection->send(std::string("s SELECT ") + argv[6] + "\r\n");
        expect_ok(connection->read_until("s "), "SELECT");
    }
    std::string body = message(4096, 1);
    command = replace_all(command, "%b", "{" + std::to_string(body.size()) + "+}\r\n" + body);
    measure(1, count, [&](int) {
        for (long number = 1; number <= count; ++number) {
            connection->send("x " + replace_all(command, "%d", std::to_string(number)) + "\r\n");
            expect_ok(connection->read_until("x "), command.substr(0, 40).c_str());
        }
    });
    return 0;
}

int run_idle(int argc, char** argv) {
    if (argc < 7) die("idle PORT COUNT USER PASSWORD SECONDS [tls]");
    std::string where = argv[2], user = argv[4], password = argv[5];
    long count = std::atol(argv[3]);
    bool tls = argc > 7;
    std::vector<std::unique_ptr<Connection>> sessions;
    for (long number = 0; number < count; ++number) {
        sessions.push_back(log_in(where, tls, user, password));
        sessions.back()->send("s SELECT INBOX\r\n");
        expect_ok(sessions.back()->read_until("s "), "SELECT");
        sessions.back()->send("i IDLE\r\n");
        sessions.back()->read_until("+");
    }
    std::printf("ready\n");
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::seconds(std::atoi(argv[6])));
    std::printf("0 %ld\n", count);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::string what = argc > 1 ? argv[1] : "";
    if (what == "login") return run_login(argc, argv);
    if (what == "lmtp") return run_lmtp(argc, argv);
    if (what == "imap") return run_imap(argc, argv);
    if (what == "idle") return run_idle(argc, argv);
    die("login, lmtp, imap or idle; see bench/load.cpp");
}
