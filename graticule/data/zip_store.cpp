#include "graticule/data/zip_store.h"

#include <minizip/unzip.h>
#include <zlib.h>

#include <array>
#include <mutex>

#include "graticule/core/error.h"

namespace graticule {

namespace {

[[noreturn]] void damaged(const std::string& where, const char* what) {
  fail("zip", where, " is damaged or cut off: ", what, ": copy it again");
}

struct Member {
  unz64_file_pos place;
  size_t packed = 0, size = 0;
  uLong method = 0, checksum = 0;
  bool encrypted = false;
};

class ZipStore : public KeyStore {
 public:
  explicit ZipStore(const std::string& file) : KeyStore(file), zip_(unzOpen64(file.c_str()), &unzClose) {
    if (!zip_) damaged(file, "it has no directory of members at its end");
    unz_global_info64 all{};
    unzGetGlobalInfo64(zip_.get(), &all);
    int status = all.number_entry > 0 ? unzGoToFirstFile(zip_.get()) : UNZ_END_OF_LIST_OF_FILE;
    for (; status == UNZ_OK; status = unzGoToNextFile(zip_.get())) add_member();
    if (status != UNZ_END_OF_LIST_OF_FILE) damaged(file, "its directory of members ends early");
  }

  std::optional<BytePlace> find(const std::string& key) const override {
    const auto found = members_.find(key);
    if (found == members_.end()) return std::nullopt;
    const Member& member = found->second;
    const std::string where = name() + "/" + key;
    if (member.encrypted) refuse("zip", where, " is encrypted: unpack it with its password");
    if (member.method != 0 && member.method != Z_DEFLATED)
      refuse("zip", where, " is packed by method ", member.method, ": known are stored and deflated");
    const std::lock_guard<std::mutex> alone(mutex_);
    unz64_file_pos place = member.place;
    if (unzGoToFilePos64(zip_.get(), &place) != UNZ_OK || unzOpenCurrentFile(zip_.get()) != UNZ_OK)
      damaged(where, "its header cannot be read");
    if (member.method != 0) return BytePlace{where, 0, member.size, inflated(member, where)};
    const size_t offset = unzGetCurrentFileZStreamPos64(zip_.get());
    unzCloseCurrentFile(zip_.get());
    if (member.size != member.packed) damaged(where, "its two sizes differ");
    return BytePlace{name(), offset, member.size, nullptr};
  }

  std::vector<std::string> names_in(const std::string& folder) const override {
    return names_below(members_, folder);
  }

  std::map<std::string, bool> deflated() const {
    std::map<std::string, bool> members;
    for (const auto& [key, member] : members_) members[key] = member.method != 0;
    return members;
  }

 private:
  void add_member() {
    std::array<char, 65536> key{};
    unz_file_info64 about{};
    Member member{};
    if (unzGetCurrentFileInfo64(zip_.get(), &about, key.data(), key.size(), nullptr, 0, nullptr, 0) !=
            UNZ_OK ||
        unzGetFilePos64(zip_.get(), &member.place) != UNZ_OK)
      damaged(name(), "its directory of members cannot be read");
    member.packed = about.compressed_size;
    member.size = about.uncompressed_size;
    member.method = about.compression_method;
    member.checksum = about.crc;
    member.encrypted = (about.flag & 1) != 0;
    const std::string path = key.data();
    if (path.ends_with('/')) return;  // a folder
    members_[path] = member;
  }

  std::shared_ptr<const std::string> inflated(const Member& member, const std::string& where) const {
    // Deflate packs at most 1,032 bytes into one.
    constexpr size_t most = 1040;
    if (member.size / most > member.packed) damaged(where, "its size cannot be right");
    auto bytes = std::make_shared<std::string>(member.size, '\0');
    size_t got = 0;
    while (got < bytes->size()) {
      const auto wanted = static_cast<unsigned>(std::min<size_t>(bytes->size() - got, size_t{1} << 30));
      const int read = unzReadCurrentFile(zip_.get(), bytes->data() + got, wanted);
      if (read <= 0) break;
      got += static_cast<size_t>(read);
    }
    const int status = unzCloseCurrentFile(zip_.get());  // compares the checksum
    if (got != bytes->size() || status != UNZ_OK) damaged(where, "its bytes do not unpack");
    return bytes;
  }

  std::unique_ptr<void, int (*)(unzFile)> zip_;
  std::map<std::string, Member> members_;
  mutable std::mutex mutex_;
};

}  // namespace

bool is_zip(const std::string& file) {
  std::string start(4, '\0');
  const std::optional<size_t> size = file_size(file);
  if (!size || *size < start.size()) return false;
  read_range(file, 0, std::as_writable_bytes(std::span(start)));
  return start == "PK\x03\x04" || start == "PK\x05\x06";
}

Keys open_zip_store(const std::string& file) { return std::make_shared<ZipStore>(file); }

std::map<std::string, bool> members_of_zip(const std::string& file) { return ZipStore(file).deflated(); }

}  // namespace graticule
