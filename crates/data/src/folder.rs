//! The files of a folder that are examples, such as images or texts: their order and their classes.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::list;
use super::{DataError, natural};

/// How deep subfolders are searched.
const DEEPEST: usize = 8;

/// Names of folders that hold a source's own test rows; the first one present is used.
const TEST: [&str; 5] = ["test", "testing", "valid", "val", "validation"];
const TRAIN: [&str; 2] = ["train", "training"];

/// A file that is an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderFile {
    pub path: PathBuf,
    /// Its path within the folder.
    pub origin: String,
    /// Its class: the name of its subfolder.
    pub class: Option<String>,
}

/// The files of a folder that are examples.
#[derive(Debug, Default, PartialEq)]
pub struct FolderFiles {
    pub train: Vec<FolderFile>,
    pub test: Vec<FolderFile>,
    /// Names of all classes, in order.
    pub classes: Vec<String>,
    /// Files in formats that cannot be read, by their paths within the folder.
    pub unread: Vec<String>,
    pub notes: Vec<String>,
}

/// What the examples of a folder are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileType {
    #[default]
    Images,
    Texts,
    Sounds,
    Music,
}

impl FileType {
    /// Whether files with this extension are of the type.
    fn has(self, extension: &str) -> bool {
        match self {
            FileType::Images => is_image_extension(extension),
            FileType::Texts => ["txt", "text"].contains(&extension),
            FileType::Sounds => ["wav", "wave"].contains(&extension),
            FileType::Music => ["mid", "midi"].contains(&extension),
        }
    }

    /// The name of several.
    pub fn name(self) -> &'static str {
        match self {
            FileType::Images => "images",
            FileType::Texts => "texts",
            FileType::Sounds => "WAV files",
            FileType::Music => "MIDI files",
        }
    }

    /// The name of one.
    pub fn one(self) -> &'static str {
        match self {
            FileType::Images => "image",
            FileType::Texts => "text",
            FileType::Sounds => "WAV file",
            FileType::Music => "MIDI file",
        }
    }

    /// Formats that cannot be read, by the extensions of their files.
    fn unread(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            FileType::Images | FileType::Texts => &UNREAD,
            FileType::Sounds => &UNREAD_SOUNDS,
            FileType::Music => &[],
        }
    }

    /// The format that cannot be read of a file with this extension.
    fn unread_format(self, extension: &str) -> Option<&'static str> {
        let extension = extension.to_lowercase();
        self.unread().iter().find(|(_, known)| known.contains(&extension.as_str())).map(|(format, _)| *format)
    }
}

/// Whether files with this extension are images.
pub fn is_image_extension(extension: &str) -> bool {
    ["png", "jpg", "jpeg", "bmp", "gif", "webp"].contains(&extension.to_lowercase().as_str())
}

/// Formats of images that cannot be read, by the extensions of their files.
const UNREAD: [(&str, &[&str]); 8] = [
    ("HEIC", &["heic", "heif", "hif"]),
    ("TIFF", &["tif", "tiff"]),
    ("AVIF", &["avif"]),
    ("JPEG XL", &["jxl"]),
    ("JPEG 2000", &["jp2", "j2k"]),
    ("raw", &["dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2"]),
    ("PSD", &["psd"]),
    ("SVG", &["svg"]),
];

/// Formats of sounds that cannot be read, by the extensions of their files.
const UNREAD_SOUNDS: [(&str, &[&str]); 6] = [
    ("MP3", &["mp3"]),
    ("FLAC", &["flac"]),
    ("Ogg", &["ogg", "oga", "opus"]),
    ("AAC", &["m4a", "aac"]),
    ("AIFF", &["aif", "aiff", "aifc"]),
    ("WMA", &["wma"]),
];

/// What to say of a file that is an image or a sound, but cannot be read; none of another file.
pub fn unreadable(extension: &str) -> Option<String> {
    let sentence = |of: FileType, make: &str| {
        let format = of.unread_format(extension)?;
        Some(format!("{format} cannot be read: make a {make} file of it"))
    };
    sentence(FileType::Images, "PNG or JPEG").or_else(|| sentence(FileType::Sounds, "WAV"))
}

/// What to say of files that are images or sounds, but cannot be read.
pub fn about_unread(names: &[String], of: FileType) -> String {
    let extension = |name: &String| name.rsplit_once('.').and_then(|(_, extension)| of.unread_format(extension));
    let mut formats: Vec<&str> = names.iter().filter_map(extension).collect();
    formats.sort_unstable();
    formats.dedup();
    let (formats, make) = (formats.join(" and "), if of == FileType::Sounds { "WAV" } else { "PNG or JPEG" });
    format!("{formats} cannot be read: make {make} files of {}", list(names))
}

impl FolderFiles {
    /// A single image.
    pub fn one(path: &Path) -> Self {
        let origin = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { train: vec![FolderFile { path: path.to_path_buf(), origin, class: None }], ..Self::default() }
    }

    /// Finds the images or the texts of a folder: separately those of `train` and `test` if it has both, else all.
    ///
    /// Files are in natural order of their names, class by class if there are classes. If the names are numbers
    /// that are unique over all classes, files are in the order of these numbers.
    pub fn find(folder: &Path, of: FileType) -> Result<Self, DataError> {
        let top = Entries::read(folder)?;
        let named = |names: &[&str]| {
            names.iter().find_map(|name| top.folders.iter().find(|f| f.name.eq_ignore_ascii_case(name)))
        };
        let mut files = Self::default();
        if let (Some(train), Some(test)) = (named(&TRAIN), named(&TEST)) {
            files.train = files.part(&train.path, &format!("{}/", train.name), of)?;
            files.test = files.part(&test.path, &format!("{}/", test.name), of)?;
            let mut others: Vec<&str> = top.folders.iter().map(|f| f.name.as_str()).collect();
            others.retain(|name| *name != train.name && *name != test.name);
            if !others.is_empty() {
                files.notes.push(format!(
                    "{} and {} are the training and the test rows; left out: {}",
                    train.name,
                    test.name,
                    list(&others)
                ));
            }
        }
        if files.train.is_empty() || files.test.is_empty() {
            files = Self::default();
            files.train = files.part(folder, "", of)?;
        }
        if files.train.is_empty() {
            return Err(nothing_in(folder, &top, &files.unread, of));
        }
        let classes: HashSet<&String> =
            files.train.iter().chain(&files.test).filter_map(|f| f.class.as_ref()).collect();
        let mut classes: Vec<String> = classes.into_iter().cloned().collect();
        classes.sort_by(|a, b| natural::compare(a, b));
        files.classes = classes;
        Ok(files)
    }

    /// The files of one part: one class per subfolder if subfolders hold some, else those of the folder itself.
    fn part(&mut self, folder: &Path, prefix: &str, of: FileType) -> Result<Vec<FolderFile>, DataError> {
        let entries = Entries::read(folder)?;
        let mut search = Search::of(folder, of);
        for class in &entries.folders {
            if search.may_enter(class) {
                search.gather(class, &format!("{prefix}{}/", class.name), &class.name, class.is_link, DEEPEST)?;
            }
        }
        let Search { files, links, unread, .. } = search;
        self.unread.extend(unread);
        self.unread.extend(entries.unread(prefix, of));
        let files = once(files, &links);
        let loose: Vec<&Entry> = entries.of_type(of).collect();
        if files.is_empty() {
            let file =
                |e: &Entry| FolderFile { path: e.path.clone(), origin: format!("{prefix}{}", e.name), class: None };
            let links: Vec<bool> = loose.iter().map(|entry| entry.is_link).collect();
            return Ok(once(loose.into_iter().map(file).collect(), &links));
        }
        if !loose.is_empty() {
            let names: Vec<&str> = loose.iter().map(|entry| entry.name.as_str()).collect();
            self.notes.push(format!("{} outside of the class folders were left out: {}", of.name(), list(&names)));
        }
        if let Some(numbers) = numbered_through(&files) {
            let mut numbered: Vec<(u64, FolderFile)> = numbers.into_iter().zip(files).collect();
            numbered.sort_by_key(|(number, _)| *number);
            return Ok(numbered.into_iter().map(|(_, file)| file).collect());
        }
        Ok(files)
    }
}

/// The numbers that are the files' names, if every name is a number and no two are equal.
fn numbered_through(files: &[FolderFile]) -> Option<Vec<u64>> {
    let number = |file: &FolderFile| file.path.file_stem()?.to_str()?.parse().ok();
    let numbers: Vec<u64> = files.iter().map(number).collect::<Option<_>>()?;
    let distinct: HashSet<&u64> = numbers.iter().collect();
    (distinct.len() == numbers.len()).then_some(numbers)
}

/// A search through folders, which enters each of them once, wherever symbolic links lead.
struct Search {
    of: FileType,
    /// The folder where it began, without links.
    top: Option<PathBuf>,
    /// Folders that links have led to.
    linked: HashSet<PathBuf>,
    files: Vec<FolderFile>,
    /// Whether the path to each file has a link in it.
    links: Vec<bool>,
    unread: Vec<String>,
}

impl Search {
    fn of(folder: &Path, of: FileType) -> Self {
        let top = folder.canonicalize().ok();
        Self { of, top, linked: HashSet::new(), files: Vec::new(), links: Vec::new(), unread: Vec::new() }
    }

    /// A link is followed if it leads out of the folder, and not to one above it or to where another link has led: what is
    /// in the folder itself is found without it.
    fn may_enter(&mut self, folder: &Entry) -> bool {
        if !folder.is_link {
            return true;
        }
        let (Some(top), Ok(target)) = (&self.top, folder.path.canonicalize()) else { return false };
        !target.starts_with(top) && !top.starts_with(&target) && self.linked.insert(target)
    }

    /// Collects all files in and below the folder of a class.
    fn gather(
        &mut self,
        folder: &Entry,
        prefix: &str,
        class: &str,
        by_link: bool,
        depth: usize,
    ) -> Result<(), DataError> {
        let entries = Entries::read(&folder.path)?;
        self.unread.extend(entries.unread(prefix, self.of));
        for entry in entries.of_type(self.of) {
            self.files.push(FolderFile {
                path: entry.path.clone(),
                origin: format!("{prefix}{}", entry.name),
                class: Some(class.into()),
            });
            self.links.push(by_link || entry.is_link);
        }
        for below in entries.folders.iter().filter(|_| depth > 1) {
            if self.may_enter(below) {
                let by_link = by_link || below.is_link;
                self.gather(below, &format!("{prefix}{}/", below.name), class, by_link, depth - 1)?;
            }
        }
        Ok(())
    }
}

/// Each file once: where it is without a link, else where the first link to it is.
fn once(files: Vec<FolderFile>, links: &[bool]) -> Vec<FolderFile> {
    if !links.contains(&true) {
        return files;
    }
    let real = |file: &FolderFile| file.path.canonicalize().unwrap_or_else(|_| file.path.clone());
    let mut known: HashSet<PathBuf> =
        files.iter().zip(links).filter(|(_, is_link)| !**is_link).map(|(file, _)| real(file)).collect();
    let is_first = |(file, is_link): &(FolderFile, &bool)| !**is_link || known.insert(real(file));
    files.into_iter().zip(links).filter(is_first).map(|(file, _)| file).collect()
}

fn nothing_in(folder: &Path, entries: &Entries, unread: &[String], of: FileType) -> DataError {
    if !unread.is_empty() {
        return DataError::unusable(folder.display(), about_unread(unread, of));
    }
    let start = if entries.files.is_empty() && entries.folders.is_empty() { "it is empty: " } else { "" };
    let readable = |e: &&Entry| ["csv", "tsv", "npy", "npz"].contains(&e.extension().as_str());
    let hint = match entries.files.iter().find(readable) {
        Some(file) => format!("; to use one of its files, name the file itself, such as {}", file.path.display()),
        None => String::new(),
    };
    DataError::unusable(
        folder.display(),
        format!(
            "{start}the folder has no train-images-idx3-ubyte, plain or with .gz, and no images (PNG, JPEG, BMP, GIF, WebP), \
             texts (.txt), sounds (.wav) or music (.mid){hint}"
        ),
    )
}

struct Entry {
    path: PathBuf,
    name: String,
    /// A symbolic link.
    is_link: bool,
}

impl Entry {
    fn extension(&self) -> String {
        self.path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default()
    }
}

/// The entries of a folder in natural order, without hidden ones.
struct Entries {
    folders: Vec<Entry>,
    files: Vec<Entry>,
}

impl Entries {
    fn read(folder: &Path) -> Result<Self, DataError> {
        let failed = DataError::read(folder);
        let (mut folders, mut files) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(folder).map_err(&failed)? {
            let entry = entry.map_err(&failed)?;
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let path = entry.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with('.') || name == "__MACOSX" {
                continue;
            }
            let entry = Entry { path, name, is_link };
            if entry.path.is_dir() { folders.push(entry) } else { files.push(entry) }
        }
        for entries in [&mut folders, &mut files] {
            entries.sort_by(|a, b| natural::compare(&a.name, &b.name));
        }
        Ok(Self { folders, files })
    }

    fn of_type(&self, of: FileType) -> impl Iterator<Item = &Entry> {
        self.files.iter().filter(move |entry| of.has(&entry.extension()))
    }

    /// Paths of files in formats that cannot be read.
    fn unread(&self, prefix: &str, of: FileType) -> impl Iterator<Item = String> {
        let unread = self.files.iter().filter(move |entry| of.unread_format(&entry.extension()).is_some());
        unread.map(move |entry| format!("{prefix}{}", entry.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_of(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn origins(files: &[FolderFile]) -> Vec<&str> {
        files.iter().map(|file| file.origin.as_str()).collect()
    }

    #[test]
    fn flat_folders_count_their_files() {
        let folder = folder_of(&["10.png", "2.PNG", "1.jpeg", "notes.txt", ".hidden.png"]);
        let files = FolderFiles::find(folder.path(), FileType::Images).unwrap();
        assert_eq!(origins(&files.train), ["1.jpeg", "2.PNG", "10.png"]);
        assert!(files.classes.is_empty() && files.test.is_empty());
    }

    #[test]
    fn subfolders_are_classes() {
        let folder = folder_of(&["dog/1.png", "cat/1.png", "cat/x/2.png", "dog/0.png", "top.png", "docs/a.txt"]);
        let files = FolderFiles::find(folder.path(), FileType::Images).unwrap();
        assert_eq!(origins(&files.train), ["cat/1.png", "cat/x/2.png", "dog/0.png", "dog/1.png"]);
        assert_eq!(files.classes, ["cat", "dog"]);
        assert!(files.notes[0].contains("top.png"));
        // Numbers that are unique over all classes decide the order.
        let folder = folder_of(&["7/00000.png", "2/00001.png", "10/00002.png"]);
        let files = FolderFiles::find(folder.path(), FileType::Images).unwrap();
        assert_eq!(origins(&files.train), ["7/00000.png", "2/00001.png", "10/00002.png"]);
        assert_eq!(files.classes, ["2", "7", "10"]);
    }

    #[test]
    fn folders_of_training_and_test_images_are_splits() {
        let folder = folder_of(&["train/a/1.png", "train/b/1.png", "test/b/1.png", "val/a/1.png"]);
        let files = FolderFiles::find(folder.path(), FileType::Images).unwrap();
        assert_eq!(origins(&files.train), ["train/a/1.png", "train/b/1.png"]);
        assert_eq!(origins(&files.test), ["test/b/1.png"]);
        assert_eq!(files.classes, ["a", "b"]);
        assert!(files.notes[0].ends_with("left out: val"), "{:?}", files.notes);
    }

    #[test]
    fn images_that_cannot_be_read_are_named() {
        let folder = folder_of(&["1.png", "IMG_2.HEIC", "scan.tif", "notes.txt"]);
        let files = FolderFiles::find(folder.path(), FileType::Images).unwrap();
        assert_eq!(origins(&files.train), ["1.png"]);
        assert_eq!(files.unread, ["IMG_2.HEIC", "scan.tif"]);
        let said = "HEIC and TIFF cannot be read: make PNG or JPEG files of IMG_2.HEIC, scan.tif";
        assert_eq!(about_unread(&files.unread, FileType::Images), said);
        // In folders of classes too, each once, with and without training and test images.
        let files =
            FolderFiles::find(folder_of(&["a/1.png", "a/2.heic", "b/1.jpg", "b/x/3.tiff"]).path(), FileType::Images)
                .unwrap();
        assert_eq!(files.unread, ["a/2.heic", "b/x/3.tiff"]);
        let files =
            FolderFiles::find(folder_of(&["train/1.png", "train/2.heic", "test/1.png"]).path(), FileType::Images)
                .unwrap();
        assert_eq!(files.unread, ["train/2.heic"]);
        let error = FolderFiles::find(folder_of(&["IMG_2.HEIC"]).path(), FileType::Images).unwrap_err().to_string();
        assert!(error.contains("HEIC cannot be read: make PNG or JPEG files of IMG_2.HEIC"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_multiply_nothing() {
        use std::os::unix::fs::symlink;
        let outside = folder_of(&["1.png", "deep/2.png"]);
        let folder = folder_of(&["a/1.png", "b/2.png"]);
        let link = |to: &Path, name: &str| symlink(to, folder.path().join(name)).unwrap();
        for (to, name) in [(".", "0"), ("..", "1"), ("a", "2"), ("missing", "3"), ("/", "4")] {
            link(Path::new(to), name);
        }
        link(Path::new("."), "a/loop");
        link(Path::new("../b"), "a/other");
        link(Path::new("1.png"), "a/again.png");
        let files = FolderFiles::find(folder.path(), FileType::Images).unwrap();
        assert_eq!(origins(&files.train), ["a/1.png", "b/2.png"]);
        // What is elsewhere is found, by the first link to it.
        symlink(outside.path(), folder.path().join("more")).unwrap();
        symlink(outside.path().join("deep"), folder.path().join("twice")).unwrap();
        let files = FolderFiles::find(folder.path(), FileType::Images).unwrap();
        assert_eq!(origins(&files.train), ["a/1.png", "b/2.png", "more/1.png", "more/deep/2.png"]);
        let flat = folder_of(&["1.png"]);
        symlink(".", flat.path().join("here")).unwrap();
        symlink("1.png", flat.path().join("2.png")).unwrap();
        assert_eq!(origins(&FolderFiles::find(flat.path(), FileType::Images).unwrap().train), ["1.png"]);
    }

    #[test]
    fn folders_without_images_say_so() {
        let error = FolderFiles::find(folder_of(&[]).path(), FileType::Images).unwrap_err().to_string();
        assert!(error.contains("it is empty") && error.contains("no images"), "{error}");
        let error =
            FolderFiles::find(folder_of(&["iris.csv", "a.txt"]).path(), FileType::Images).unwrap_err().to_string();
        assert!(error.contains("name the file itself") && error.contains("iris.csv"), "{error}");
    }
}
