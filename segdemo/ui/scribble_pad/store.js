// Scribbles outlive a reload: this browser keeps those of the photos worked on last, under the photo's content key.
// Where storage is refused or full they live as long as the page, and nobody is bothered.

const STORE = "segdemo scribbles ", RECENT = "segdemo recent scribbles";
const MOST_PHOTOS = 12, MOST_CHARACTERS = 150000;

const recentPhotos = () => JSON.parse(localStorage.getItem(RECENT) || "[]");

function remember(key, strokes) {
  try {
    const text = JSON.stringify(strokes), isKept = strokes.length > 0 && text.length <= MOST_CHARACTERS;
    const recent = [...(isKept ? [key] : []), ...recentPhotos().filter((other) => other !== key)];
    for (const old of recent.splice(MOST_PHOTOS)) localStorage.removeItem(STORE + old);
    if (isKept) localStorage.setItem(STORE + key, text);
    else localStorage.removeItem(STORE + key);
    localStorage.setItem(RECENT, JSON.stringify(recent));
  } catch { /* as said above */ }
}

function recall(key) {
  try {
    return checkStrokes(JSON.parse(localStorage.getItem(STORE + key) || "[]"));
  } catch {
    return [];
  }
}
