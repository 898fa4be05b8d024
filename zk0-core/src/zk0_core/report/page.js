function prepare() {
  for (const button of document.querySelectorAll("button[data-row]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      for (const video of document.getElementById(button.dataset.row).querySelectorAll("video")) {
        video.currentTime = 0;
        video.play();
      }
    });
  }
}
prepare();
