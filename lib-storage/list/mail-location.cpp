#include "lib-storage/list/mail-location.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <vector>

#include "lib-base/text.h"

namespace culver {

namespace {

std::unexpected<Error> refuse(std::string detail) { return fail(ErrorCode::InvalidArgument, std::move(detail)); }

// Split at ':'; "::" stands for one ':' within a part.
std::vector<std::string> split_parts(std::string_view text) {
    std::vector<std::string> parts(1);
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != ':') {
            parts.back() += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == ':') {
            parts.back() += ':';
            ++i;
        } else {
            parts.emplace_back();
        }
    }
    return parts;
}

// `what` is the setting's name for the error text.
Result<std::string> expand_path(std::string_view path, const std::string& home, std::string_view what) {
    std::string full(path);
    if (path == "~" || path.starts_with("~/")) {
        if (home.empty())
            return refuse(fmt::format("Home directory not set, can't expand ~/ for {} in mail_location", what));
        full = home + std::string(path.substr(1));
    } else if (!path.starts_with('/') && !home.empty() && !path.empty()) {
        full = home + "/" + std::string(path);
    }
    while (full.size() > 1 && full.ends_with('/')) full.pop_back();
    if (!full.starts_with('/')) return refuse(fmt::format("mail_location: {} is not an absolute path: {}", what, path));
    if (full.find('\0') != std::string::npos) return refuse(fmt::format("mail_location: {} holds a NUL byte", what));
    return full;
}

// Options of other storages and tunings that change nothing that can be seen from outside.
bool is_ignored_option(std::string_view key) {
    for (const std::string_view known : {"ALT", "VOLATILEDIR", "LISTINDEX", "ITERINDEX", "NO-NOSELECT", "CACHE",
                                         "INDEXPVT", "MAILBOXDIR", "NO-FS-VALIDATION", "BROKENCHAR"})
        if (key == known) return true;
    return false;
}

Status apply_option(MailLocation& location, std::string_view option, const std::string& home) {
    const std::size_t equals = option.find('=');
    const std::string key = to_upper(option.substr(0, equals));
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : option.substr(equals + 1);
    if (key == "INDEX") {
        location.index_root = value == "MEMORY" ? std::string() : TRY(expand_path(value, home, "INDEX"));
    } else if (key == "CONTROL") {
        location.control_root = TRY(expand_path(value, home, "CONTROL"));
    } else if (key == "INBOX") {
        location.inbox = TRY(expand_path(value, home, "INBOX"));
    } else if (key == "LAYOUT") {
        const std::string layout = to_lower(value);
        if (layout == "fs") {
            location.layout = FolderLayoutKind::Fs;
        } else if (layout != "maildir++") {
            return refuse(fmt::format("mail_location: Unknown layout driver '{}' (known: maildir++, fs)", value));
        }
    } else if (key == "DIRNAME") {
        if (value.empty() || value.find('/') != std::string_view::npos || value == "." || value == "..")
            return refuse(fmt::format("mail_location: DIRNAME={} is not a plain name", value));
        location.directory_name = value;
    } else if (key == "SUBSCRIPTIONS") {
        if (value.empty() || value.find('/') != std::string_view::npos)
            return refuse(fmt::format("mail_location: SUBSCRIPTIONS={} is not a plain name", value));
        location.subscriptions_file = value;
    } else if (key == "UTF-8") {
        location.is_utf8 = true;
    } else if (!is_ignored_option(key)) {
        return refuse(fmt::format("mail_location: Unknown setting: {}", option));
    }
    return {};
}

bool is_directory(const std::string& path) {
    struct stat st;
    return ::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

MailLocation location_at(std::string root) {
    MailLocation location;
    location.mail_root = std::move(root);
    location.inbox = location.control_root = location.index_root = location.mail_root;
    return location;
}

}  // namespace

Result<MailLocation> parse_mail_location(std::string_view text, const std::string& home) {
    const std::size_t colon = text.find(':');
    std::string driver = colon == std::string_view::npos ? std::string() : to_lower(text.substr(0, colon));
    if (text.starts_with('/') || text.starts_with('~')) driver.clear();
    std::string_view rest = driver.empty() ? text : text.substr(colon + 1);
    if (driver.empty() || driver == "auto") driver = "maildir";
    if (driver != "maildir") {
        if (driver == "mbox" || driver == "sdbox" || driver == "mdbox" || driver == "dbox" || driver == "imapc" ||
            driver == "pop3c" || driver == "obox" || driver == "cydir")
            return fail(
                ErrorCode::Unsupported,
                fmt::format("mail_location: Culver cannot open {} storage; convert it with Dovecot's `doveadm sync`"
                            " to maildir: and write mail_location = maildir:~/Maildir",
                            driver));
        return refuse(fmt::format("mail_location: Unknown mail storage driver {}", driver));
    }
    const std::vector<std::string> parts = split_parts(rest);
    if (parts[0].empty()) return refuse("mail_location: the path behind maildir: is missing");
    MailLocation location = location_at(TRY(expand_path(parts[0], home, "the mail root")));
    for (std::size_t i = 1; i < parts.size(); ++i)
        if (!parts[i].empty()) TRY(apply_option(location, parts[i], home));
    return location;
}

Result<MailLocation> detect_mail_location(const std::string& home) {
    if (!home.empty()) {
        for (const char* name : {"/Maildir", "/maildir"})
            if (is_directory(home + name + "/cur")) return location_at(home + name);
    }
    std::string reason =
        "mail_location not set and autodetection failed: Mail storage autodetection failed with home=" +
        (home.empty() ? std::string("(not set)") : home);
    return fail(Error{ErrorCode::NotFound, "", reason});
}

}  // namespace culver
