// MessageSource: one message as FETCH and SEARCH read it: common header fields from the cache, the file only when it is
// needed, its structure parsed once. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib-base/result.h"
#include "lib-mail/mime-parser.h"
#include "lib-storage/mailbox.h"

namespace culver {

class MessageSource {
public:
    MessageSource(Mailbox& mailbox, Uid uid) : mailbox_(mailbox), uid_(uid) {}

    Uid uid() const { return uid_; }
    Mailbox& mailbox() { return mailbox_; }

    // The stored bytes, mapped; valid as long as this object. NotFound: expunged.
    Result<std::string_view> bytes();
    // The header with its blank line.
    Result<std::string_view> header();
    Result<const MimeStructure*> structure();

    // Is a field of that name among those that are cached?
    static bool is_cached_field(std::string_view name);
    // The cached fields of the header in their order, as stored, each with its line end; no blank line. From the cache,
    // or from the file, and then cached. Valid as long as this object.
    Result<std::string_view> common_fields();

private:
    Mailbox& mailbox_;
    Uid uid_;
    std::unique_ptr<MessageFile> file_;
    std::optional<MimeStructure> structure_;
    std::optional<std::string> common_fields_;
};

}  // namespace culver
