// HttpClient: one request at a time per thread to a web service that the admin has configured, over libcurl.
//
// It goes nowhere else: no redirects, no proxies of the environment, http and https only. Answers are bounded, waiting
// is bounded. Connections are kept and used again. Thread-safe; perform() blocks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib-base/result.h"

namespace culver {

struct HttpRequest {
    enum class Method { Get, Post } method = Method::Get;
    std::string url;
    std::vector<std::pair<std::string, std::string>> headers;  // a value with a control byte is an error
    std::string body;                                          // of Post
};

struct HttpResponse {
    long status = 0;
    std::string reason;  // "401 Unauthorized", for logs
    std::string body;
};

class HttpClient {
public:
    struct Options {
        std::chrono::milliseconds timeout{10'000};   // of a whole request, waiting for its turn included
        std::chrono::milliseconds max_idle{60'000};  // a connection that was idle for longer is not used again
        std::size_t max_parallel = 10;
        std::size_t body_limit = 64 * 1024;
        std::string user_agent;
        std::string ca_file, ca_dir;                 // both empty: the system's authorities
        std::string client_certificate, client_key;  // PEM, not paths
        std::string ciphers;
        bool allow_invalid_certificate = false;
        std::string rawlog_dir;  // each request and its answer into a file there; holds secrets
    };

    // The first client of a process is made while it has one thread.
    explicit HttpClient(Options options);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // Any complete answer is a response, whatever its status. Timeout, Unavailable: there was none; the next call tries
    // anew. The error names neither the query of the URL nor headers, which may be secrets.
    Result<HttpResponse> perform(const HttpRequest& request);

private:
    struct Handle;
    Result<std::unique_ptr<Handle>> take(std::chrono::steady_clock::time_point end);
    void give_back(std::unique_ptr<Handle> handle);
    void prepare(Handle& handle, const HttpRequest& request, std::chrono::milliseconds left) const;

    const Options options_;
    std::mutex mutex_;  // guards idle_ and in_use_
    std::condition_variable changed_;
    std::vector<std::unique_ptr<Handle>> idle_;
    std::size_t in_use_ = 0;
};

// An http or https URL with a host; the error says what is wrong.
Status check_http_url(std::string_view url);
// True for https://user:password@host/: libcurl sends these as Basic credentials.
bool url_has_credentials(std::string_view url);
// For a query or a form (RFC 3986 §2.1): everything but letters, digits and -._~@ as %XX.
std::string percent_encode(std::string_view text);
// scheme://host/path, without credentials and query: for logs.
std::string url_for_log(std::string_view url);

}  // namespace culver
