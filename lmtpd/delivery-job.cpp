#include "lmtpd/delivery-job.h"

#include "lib-base/counted-fields.h"

namespace culver {
std::string DeliveryJob::serialize() const {
    std::string out;
    out.reserve(1024);
    put_field(out, id);
    for (const std::string* field :
         {&username, &local_ip, &remote_ip, &session, &sender, &recipient, &mailbox, &prepend})
        put_field(out, *field);
    put_field(out, in_file ? "1" : "0");
    put_field(out, fields.size());
    for (const auto& [name, value] : fields) {
        put_field(out, name);
        put_field(out, value);
    }
    return out;
}

Result<DeliveryJob::Parsed> DeliveryJob::deserialize(std::string_view packet) {
    FieldReader in(packet);
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
    put_field(out, id);
    put_field(out, saved ? "1" : "0");
    put_field(out, static_cast<std::uint64_t>(error));
    return out;
}

Result<DeliveryAnswer> DeliveryAnswer::deserialize(std::string_view packet) {
    FieldReader in(packet);
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
