#include "lib-storage/search/message-source.h"

#include "lib-base/text.h"
#include "lib-mail/header-fields.h"

namespace culver {

namespace {

// What mail clients ask for when they show a list, and what searches look into. The cache's version changes with it.
constexpr std::string_view kCachedFields[] = {
    "Date",        "Subject",       "From",           "To",           "Cc",           "Bcc",
    "Sender",      "Reply-To",      "Message-ID",     "In-Reply-To",  "References",   "Content-Type",
    "X-Priority",  "Priority",      "Importance",     "Newsgroups",   "List-Id",      "List-Post",
    "X-Mailer",    "User-Agent",    "Return-Path",    "Delivered-To", "MIME-Version", "Content-Transfer-Encoding",
    "X-Spam-Flag", "X-Spam-Status", "Auto-Submitted", "Precedence",
};

// More than this is not worth a place in the cache.
constexpr std::size_t kCachedSize = 16 * 1024;

// All that a header holds up to its blank line.
std::string_view header_part(std::string_view message) {
    std::size_t line = 0;
    while (line < message.size()) {
        const std::string_view rest = message.substr(line);
        if (rest.starts_with('\n')) return message.substr(0, line + 1);
        if (rest.starts_with("\r\n")) return message.substr(0, line + 2);
        const std::size_t lf = rest.find('\n');
        if (lf == std::string_view::npos) break;
        line += lf + 1;
    }
    return message;
}

}  // namespace

Result<std::string_view> MessageSource::bytes() {
    if (!file_) file_ = TRY(mailbox_.open_message(uid_));
    return file_->bytes();
}

Result<std::string_view> MessageSource::header() {
    const std::string_view message = TRY(bytes());
    if (structure_) return (*structure_)[0].header(message);
    return header_part(message);
}

Result<const MimeStructure*> MessageSource::structure() {
    if (!structure_) structure_ = MimeStructure::parse(TRY(bytes()));
    return &*structure_;
}

bool MessageSource::is_cached_field(std::string_view name) {
    for (const std::string_view cached : kCachedFields)
        if (equals_ignore_case(cached, name)) return true;
    return false;
}

Result<std::string_view> MessageSource::common_fields() {
    if (common_fields_) return *common_fields_;
    const auto take = [&](std::string_view value) { common_fields_ = std::string(value); };
    if (mailbox_.cached(uid_, CacheField::Headers, take)) return *common_fields_;
    const std::string_view all = TRY(header());
    std::string fields;
    HeaderReader reader(all);
    HeaderField field;
    while (reader.next(field)) {
        if (field.name.empty() || !is_cached_field(field.name)) continue;
        fields.append(field.lines);
        if (!fields.ends_with('\n')) fields += '\n';
    }
    if (fields.size() <= kCachedSize) mailbox_.cache(uid_, CacheField::Headers, fields);
    common_fields_ = std::move(fields);
    return *common_fields_;
}

}  // namespace culver
