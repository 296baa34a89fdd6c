#include "lmtpd/message-buffer.h"

#include <fcntl.h>
#include <stdlib.h>

#include "lib-base/file.h"

namespace culver {
namespace {

Result<UniqueFd> open_unlinked(const std::string& directory) {
    UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd) return fd;
    std::string path = directory + "/culver.lmtp.XXXXXX";  // a file system without O_TMPFILE
    fd.reset(::mkostemp(path.data(), O_CLOEXEC));
    if (!fd) return fail_errno("A temporary file in mail_temp_dir (" + directory + ") cannot be made: open");
    ::unlink(path.c_str());
    return fd;
}

}  // namespace

void MessageBuffer::append(std::string_view bytes) {
    if (!status_) return;
    memory_.append(bytes);
    if (memory_.size() > limit_) status_ = flush();
    if (!status_) memory_ = {};
}

Status MessageBuffer::flush() {
    if (!file_) file_ = TRY(open_unlinked(directory_));
    TRY(write_all(file_.get(), memory_, "temporary file in " + directory_));
    memory_.clear();
    return {};
}

Status MessageBuffer::finish() {
    if (status_ && file_ && !memory_.empty()) status_ = flush();
    return status_;
}

Status MessageBuffer::finish_in_file() {
    if (status_ && (!file_ || !memory_.empty())) status_ = flush();
    return status_;
}

}  // namespace culver
