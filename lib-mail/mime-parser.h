// The structure of a message: where its parts lie, how large they are with LF and with CRLF. RFC 2045, 2046, 5322.
//
// The parts are a flat array in the order of their headers; nothing recurses, time is linear in the message. Line ends
// may be LF, CRLF or a mixture. Broken MIME is read as Dovecot reads it, so that sizes and section numbers agree.
// What is beyond a limit is not looked into: such a part is one lump of application/octet-stream.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace culver {

struct MimeLimits {
    std::uint32_t depth = 100;  // parts within parts
    std::uint32_t parts = 10000;
    std::uint32_t boundary = 80;  // bytes of a boundary that are compared
};

struct MimePart {
    static constexpr std::uint32_t kNone = 0xffffffff;
    enum Kind : std::uint8_t {
        Other,
        Text,       // text/*, or nothing said
        Multipart,  // has children
        Message,    // message/rfc822: has exactly one child, the message
        TooDeep,    // a multipart or message beyond a limit, shown as application/octet-stream
    };

    std::uint32_t parent = kNone, first_child = kNone, next_sibling = kNone;
    Kind kind = Text;
    bool digest = false;             // multipart/digest: children without a type are messages
    bool in_multipart = false;       // its parent is a multipart
    std::uint64_t header_begin = 0;  // offset in the stored message
    std::uint64_t header_size = 0;   // the blank line included
    std::uint64_t body_size = 0;
    std::uint32_t header_lines = 0, body_lines = 0;  // LFs
    std::uint64_t header_bare = 0, body_bare = 0;    // LFs without CR: what the CRLF form is longer by

    std::uint64_t body_begin() const { return header_begin + header_size; }
    std::uint64_t body_end() const { return body_begin() + body_size; }
    std::uint64_t virtual_header_size() const { return header_size + header_bare; }
    std::uint64_t virtual_body_size() const { return body_size + body_bare; }
    std::string_view header(std::string_view message) const { return message.substr(header_begin, header_size); }
    std::string_view body(std::string_view message) const { return message.substr(body_begin(), body_size); }
};

class MimeStructure {
public:
    // Offsets refer to `message` as it is stored.
    static MimeStructure parse(std::string_view message, const MimeLimits& limits = {});

    // At least one: the message itself is parts()[0].
    const std::vector<MimePart>& parts() const { return parts_; }
    const MimePart& operator[](std::uint32_t index) const { return parts_[index]; }

private:
    friend class MimeParser;
    std::vector<MimePart> parts_;
};

}  // namespace culver
