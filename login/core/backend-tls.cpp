#include "login/core/backend-tls.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "lib-base/file.h"
#include "lib-base/log.h"

namespace culver {
namespace {

constexpr std::size_t kAuthoritiesLimit = 16 << 20;

void add_file(std::string& pem, const std::string& path, const char* setting) {
    auto text = read_file(path, kAuthoritiesLimit);
    if (!text) return log_error(std::string(setting) + ": " + text.error().detail);
    if (pem.size() + text->size() > kAuthoritiesLimit)
        return log_error(std::string(setting) + ": more than 16 MiB of certificates; " + path + " is left out");
    pem += *text + '\n';
}

// "2e5ac55d.0", "2e5ac55d.r0": what `openssl rehash` makes of a directory. Other names are the same certificates again.
bool is_hashed_name(const std::string& name) {
    const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return name.size() >= 10 && name[8] == '.' && std::all_of(name.begin(), name.begin() + 8, is_hex);
}

void add_directory(std::string& pem, const std::string& directory, const char* setting) {
    std::error_code error;
    std::vector<std::string> paths;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
        if (is_hashed_name(it->path().filename().string())) paths.push_back(it->path().string());
    if (error) log_error(std::string(setting) + ": " + directory + ": " + error.message());
    std::ranges::sort(paths);
    for (const std::string& path : paths) add_file(pem, path, setting);
}

}  // namespace

BackendTls BackendTls::load(const Settings& settings) {
    BackendTls result;
    TlsClientOptions& options = result.options_;
    options.min_protocol = settings.string("ssl_min_protocol");
    options.cipher_list = settings.string("ssl_cipher_list");
    options.cipher_suites = settings.string("ssl_cipher_suites");
    options.curve_list = settings.string("ssl_curve_list");
    options.certificate = settings.string("ssl_client_cert");
    options.key = SecretString(settings.string("ssl_client_key"));
    const std::string &file = settings.string("ssl_client_ca_file"), &directory = settings.string("ssl_client_ca_dir");
    if (!file.empty()) add_file(options.authorities, file, "ssl_client_ca_file");
    if (!directory.empty()) add_directory(options.authorities, directory, "ssl_client_ca_dir");
    return result;
}

Result<std::unique_ptr<TlsStream>> BackendTls::start(int fd, const ProxyTarget& target) {
    if (!context_) context_ = TRY(TlsContext::create_client(options_));
    const auto check = target.certificate == ProxyTarget::Certificate::Any ? PeerCheck::None : PeerCheck::Full;
    return TlsStream::connect(context_, fd, target.host, check);
}

}  // namespace culver
