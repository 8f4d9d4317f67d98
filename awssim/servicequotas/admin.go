package servicequotas

import (
	"encoding/json"
	"net/http"

	"kargo.dev/kargo/awssim/quota"
)

// maxSetting is more than the body of a setting is long.
const maxSetting = 1 << 16

// List is the simulator's own endpoint that lists what was set.
func (s *Service) List() http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		list := s.book.Settings()
		reply(w, map[string]any{"count": len(list), "items": list})
	}
}

// Set is the simulator's own endpoint that gives a quota a value (quota.Setting).
func (s *Service) Set() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var setting quota.Setting
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSetting))
		d.DisallowUnknownFields()
		if err := d.Decode(&setting); err != nil {
			http.Error(w, "the body is no quota: "+err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.book.Check(setting); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := s.book.Set(setting); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		reply(w, setting)
	}
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}
