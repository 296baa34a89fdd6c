#include "lmtpd/delivery-job.h"

#include "lib-base/text.h"

namespace culver {
namespace {

void put(std::string& out, std::string_view field) {
    out.append(std::to_string(field.size())).append(":").append(field);
}

// Keeps its first error; afterwards every field is empty.
class Fields {
public:
    explicit Fields(std::string_view rest) : rest_(rest) {}
    std::string_view next() {
        const auto colon = rest_.substr(0, 12).find(':');
        const auto size = colon == std::string_view::npos ? std::nullopt : parse_uint32(rest_.substr(0, colon));
        if (!size || *size > rest_.size() - colon - 1) {
            ok_ = false;
            rest_ = {};
            return {};
        }
        const std::string_view field = rest_.substr(colon + 1, *size);
        rest_.remove_prefix(colon + 1 + *size);
        return field;
    }
    std::uint64_t number() {
        auto value = parse_uint64(next());
        ok_ = ok_ && value;
        return value.value_or(0);
    }
    bool ok() const { return ok_; }
    std::string_view rest() const { return rest_; }

private:
    std::string_view rest_;
    bool ok_ = true;
};

}  // namespace

std::string DeliveryJob::serialize() const {
    std::string out;
    out.reserve(1024);
    put(out, std::to_string(id));
    for (const std::string* field :
         {&username, &local_ip, &remote_ip, &session, &sender, &recipient, &mailbox, &prepend})
        put(out, *field);
    put(out, in_file ? "1" : "0");
    put(out, std::to_string(fields.size()));
    for (const auto& [name, value] : fields) {
        put(out, name);
        put(out, value);
    }
    return out;
}

Result<DeliveryJob::Parsed> DeliveryJob::deserialize(std::string_view packet) {
    Fields in(packet);
    Parsed parsed;
    DeliveryJob& job = parsed.job;
    job.id = in.number();
    for (std::string* field : {&job.username, &job.local_ip, &job.remote_ip, &job.session, &job.sender, &job.recipient,
                               &job.mailbox, &job.prepend})
        *field = in.next();
    job.in_file = in.next() == "1";
    for (auto count = in.number(); count > 0 && in.ok(); --count) {
        std::string name(in.next());
        job.fields.emplace_back(std::move(name), in.next());
    }
    if (!in.ok()) return fail(ErrorCode::Corrupt, "a delivery job does not parse");
    parsed.message = in.rest();
    return parsed;
}

std::string DeliveryAnswer::serialize() const {
    std::string out;
    put(out, std::to_string(id));
    put(out, saved ? "1" : "0");
    put(out, std::to_string(static_cast<unsigned>(error)));
    return out;
}

Result<DeliveryAnswer> DeliveryAnswer::deserialize(std::string_view packet) {
    Fields in(packet);
    DeliveryAnswer answer;
    answer.id = in.number();
    answer.saved = in.next() == "1";
    const auto code = in.number();
    if (!in.ok() || code > static_cast<unsigned>(ErrorCode::Unsupported))
        return fail(ErrorCode::Corrupt, "a delivery answer does not parse");
    answer.error = static_cast<ErrorCode>(code);
    return answer;
}

}  // namespace culver
