#include "lib-auth/http/http-client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <optional>

#include "lib-auth/http/rawlog.h"
#include "lib-base/text.h"

namespace culver {

namespace {
using Clock = std::chrono::steady_clock;
constexpr std::size_t kHeaderLimit = 32 * 1024;
constexpr std::size_t kThreadStack = 512 * 1024;

void start_library() {
    static const bool started = [] {
        // libcurl looks names up in threads of its own; 8 MiB of stack for each would eat a vsz_limit.
        pthread_attr_t attributes;
        ::pthread_attr_init(&attributes);
        ::pthread_attr_setstacksize(&attributes, kThreadStack);
        ::pthread_setattr_default_np(&attributes);
        ::pthread_attr_destroy(&attributes);
        return ::curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    }();
    (void)started;
}

bool has_control_byte(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

struct UrlEnd {
    void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
std::unique_ptr<CURLU, UrlEnd> parse_url(std::string_view text) {
    std::unique_ptr<CURLU, UrlEnd> url(::curl_url());
    if (!url || text.find('\0') != text.npos) return nullptr;
    if (::curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), 0) != CURLUE_OK) return nullptr;
    return url;
}
std::string url_part(CURLU* url, CURLUPart part) {
    char* value = nullptr;
    if (::curl_url_get(url, part, &value, 0) != CURLUE_OK || !value) return {};
    std::string out = value;
    ::curl_free(value);
    return out;
}
}  // namespace

struct HttpClient::Handle {
    CURL* easy = nullptr;
    curl_slist* headers = nullptr;
    char error[CURL_ERROR_SIZE] = "";
    HttpResponse response;
    std::size_t body_limit = 0, header_bytes = 0;
    bool too_large = false;
    std::optional<Rawlog> rawlog;

    Handle() = default;
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() {
        ::curl_slist_free_all(headers);
        if (easy) ::curl_easy_cleanup(easy);
    }

    static std::size_t take_body(char* data, std::size_t size, std::size_t count, void* self) {
        auto& handle = *static_cast<Handle*>(self);
        if (handle.response.body.size() + size * count > handle.body_limit) {
            handle.too_large = true;
            return 0;
        }
        handle.response.body.append(data, size * count);
        return size * count;
    }
    static std::size_t take_header(char* data, std::size_t size, std::size_t count, void* self) {
        auto& handle = *static_cast<Handle*>(self);
        std::string_view line(data, size * count);
        handle.header_bytes += line.size();
        if (handle.header_bytes > kHeaderLimit) {
            handle.too_large = true;
            return 0;
        }
        if (line.starts_with("HTTP/")) {
            std::size_t blank = line.find(' ');
            std::string_view rest = blank == line.npos ? std::string_view() : line.substr(blank + 1);
            while (!rest.empty() && (rest.back() == '\r' || rest.back() == '\n')) rest.remove_suffix(1);
            handle.response.reason = rest.substr(0, 100);
        }
        return line.size();
    }
    static int take_trace(CURL*, curl_infotype type, char* data, std::size_t size, void* self) {
        auto& handle = *static_cast<Handle*>(self);
        bool sent = type == CURLINFO_HEADER_OUT || type == CURLINFO_DATA_OUT;
        bool received = type == CURLINFO_HEADER_IN || type == CURLINFO_DATA_IN;
        if (handle.rawlog && (sent || received))
            handle.rawlog->write(sent ? Rawlog::Direction::Sent : Rawlog::Direction::Received, {data, size});
        return 0;
    }
};

HttpClient::HttpClient(Options options) : options_(std::move(options)) { start_library(); }
HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient::Handle>> HttpClient::take(Clock::time_point end) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_until(lock, end, [this] { return in_use_ < options_.max_parallel; }))
        return fail(ErrorCode::Timeout, "too many requests to it are under way");
    std::unique_ptr<Handle> handle;
    if (!idle_.empty()) {
        handle = std::move(idle_.back());
        idle_.pop_back();
    } else {
        handle = std::make_unique<Handle>();
        handle->easy = ::curl_easy_init();
        if (!handle->easy) return fail(ErrorCode::Unavailable, "libcurl gives no handle");
    }
    ++in_use_;
    return handle;
}

void HttpClient::give_back(std::unique_ptr<Handle> handle) {
    ::curl_slist_free_all(std::exchange(handle->headers, nullptr));
    ::curl_easy_reset(handle->easy);  // keeps the connection, forgets everything of this request
    handle->response = {};
    handle->rawlog.reset();
    {
        std::lock_guard lock(mutex_);
        --in_use_;
        idle_.push_back(std::move(handle));
    }
    changed_.notify_one();
}

namespace {
void prepare_tls(CURL* easy, const HttpClient::Options& options) {
    ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, options.allow_invalid_certificate ? 0L : 1L);
    ::curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, options.allow_invalid_certificate ? 0L : 2L);
    if (!options.ca_file.empty()) ::curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    if (!options.ca_dir.empty()) ::curl_easy_setopt(easy, CURLOPT_CAPATH, options.ca_dir.c_str());
    // The admin named his authorities: no others.
    if (!options.ca_dir.empty() && options.ca_file.empty()) ::curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);
    if (!options.ca_file.empty() && options.ca_dir.empty()) ::curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    if (!options.ciphers.empty()) ::curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, options.ciphers.c_str());
    if (!options.client_certificate.empty()) {
        auto blob = [](const std::string& text) {
            return curl_blob{const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY};
        };
        curl_blob certificate = blob(options.client_certificate), key = blob(options.client_key);
        ::curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
        ::curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
    }
}
}  // namespace

void HttpClient::prepare(Handle& handle, const HttpRequest& request, std::chrono::milliseconds left) const {
    CURL* easy = handle.easy;
    handle.error[0] = '\0';
    handle.response = {};
    handle.header_bytes = 0;
    handle.too_large = false;
    handle.body_limit = options_.body_limit;
    ::curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
    ::curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    ::curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    ::curl_easy_setopt(easy, CURLOPT_PROXY, "");
    ::curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    ::curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, 1L);
    ::curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, static_cast<long>(options_.max_idle.count() / 1000));
    ::curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
    ::curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(left.count()));
    ::curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle.error);
    ::curl_easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, Handle::take_body);
    ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, &handle);
    ::curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, Handle::take_header);
    ::curl_easy_setopt(easy, CURLOPT_HEADERDATA, &handle);
    for (const auto& [name, value] : request.headers)
        handle.headers = ::curl_slist_append(handle.headers, fmt::format("{}: {}", name, value).c_str());
    if (request.method == HttpRequest::Method::Post) {
        handle.headers = ::curl_slist_append(handle.headers, "Expect:");
        ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
        ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    ::curl_easy_setopt(easy, CURLOPT_HTTPHEADER, handle.headers);
    prepare_tls(easy, options_);
    if (options_.rawlog_dir.empty()) return;
    handle.rawlog.emplace(options_.rawlog_dir);
    ::curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, Handle::take_trace);
    ::curl_easy_setopt(easy, CURLOPT_DEBUGDATA, &handle);
    ::curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
}

Result<HttpResponse> HttpClient::perform(const HttpRequest& request) {
    auto end = Clock::now() + options_.timeout;
    for (const auto& [name, value] : request.headers)
        if (has_control_byte(value)) return fail(ErrorCode::InvalidArgument, fmt::format("a control byte in {}", name));
    std::string where = url_for_log(request.url);
    auto handle = take(end);
    if (!handle) return fail(handle.error().code, fmt::format("{}: {}", where, handle.error().detail));
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    prepare(**handle, request, std::max(left, std::chrono::milliseconds(1)));
    CURLcode code = ::curl_easy_perform((*handle)->easy);
    Result<HttpResponse> result = fail(ErrorCode::Unavailable, "");
    if (code == CURLE_OK) {
        HttpResponse response = std::move((*handle)->response);
        ::curl_easy_getinfo((*handle)->easy, CURLINFO_RESPONSE_CODE, &response.status);
        if (response.reason.empty()) response.reason = fmt::format("{}", response.status);
        result = std::move(response);
    } else {
        std::string why = (*handle)->too_large          ? "its answer is too large"
                          : (*handle)->error[0] != '\0' ? (*handle)->error
                                                        : ::curl_easy_strerror(code);
        result = fail(code == CURLE_OPERATION_TIMEDOUT ? ErrorCode::Timeout : ErrorCode::Unavailable,
                      fmt::format("{}: {}", where, why));
    }
    give_back(std::move(*handle));
    return result;
}

Status check_http_url(std::string_view url) {
    auto parsed = parse_url(url);
    if (!parsed || has_control_byte(url)) return fail(ErrorCode::InvalidArgument, "it is no URL");
    std::string scheme = url_part(parsed.get(), CURLUPART_SCHEME);
    if (scheme != "http" && scheme != "https")
        return fail(ErrorCode::InvalidArgument, "only http:// and https:// are possible");
    if (url_part(parsed.get(), CURLUPART_HOST).empty()) return fail(ErrorCode::InvalidArgument, "it has no host");
    return {};
}

bool url_has_credentials(std::string_view url) {
    auto parsed = parse_url(url);
    return parsed && !url_part(parsed.get(), CURLUPART_USER).empty();
}

std::string percent_encode(std::string_view text) {
    std::string out;
    for (char c : text) {
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     std::string_view("-._~@").find(c) != std::string_view::npos;
        if (plain) out += c;
        else out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    }
    return out;
}

std::string url_for_log(std::string_view url) {
    auto parsed = parse_url(url);
    if (!parsed) return "?";
    std::string port = url_part(parsed.get(), CURLUPART_PORT);
    return url_part(parsed.get(), CURLUPART_SCHEME) + "://" + url_part(parsed.get(), CURLUPART_HOST) +
           (port.empty() ? "" : ':' + port) + url_part(parsed.get(), CURLUPART_PATH);
}

}  // namespace culver
